// The 3x rule, seen from outside: per address, bytes in and out, and whether anything proves that the address receives.
// The proof is causal and does not ask the session: a datagram that the peer sent after it had received something sent
// to that address.
#pragma once

#include <vector>

#include "base/address.hpp"
#include "sim/judge.hpp"
#include "wire/spec.hpp"

namespace peernet::sim {

class PathLedger {
 public:
  struct Account {
    Address address;
    std::uint64_t in = 0;
    std::uint64_t out = 0;
    bool validated = false;
  };

  void on_received(const Address& from, std::uint64_t bytes) { of(from).in += bytes; }
  void validate(const Address& address) { of(address).validated = true; }

  void on_sent(Judge& judge, const Address& to, std::uint64_t bytes) {
    Account& account = of(to);
    account.out += bytes;
    if (!account.validated && account.out > wire::kAmplificationFactor * account.in)
      judge.fail("more than 3x the received bytes went to an address that is not validated (port " +
                 std::to_string(to.port) + ", " + std::to_string(account.in) + " in, " + std::to_string(account.out) +
                 " out)");
  }
  const std::vector<Account>& accounts() const { return accounts_; }

 private:
  Account& of(const Address& address) {
    for (Account& account : accounts_)
      if (account.address == address) return account;
    accounts_.push_back({address});
    return accounts_.back();
  }
  std::vector<Account> accounts_;
};

}  // namespace peernet::sim
