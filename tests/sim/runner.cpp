#include "sim/runner.hpp"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "base/check.hpp"

namespace peernet::sim {

void SeedResult::fail(const std::string& why) {
  if (state == State::kFailed) return;  // the first reason is the one that explains
  state = State::kFailed;
  const std::size_t n = std::min(why.size(), reason.size() - 1);
  std::memcpy(reason.data(), why.data(), n);
  reason[n] = '\0';
}

namespace {

/// Memory that parent and workers share. The counter hands each seed to exactly one worker.
struct Board {
  std::atomic<std::uint64_t> next{0};
  std::uint64_t seeds = 0;

  std::span<SeedResult> results() { return {reinterpret_cast<SeedResult*>(this + 1), seeds}; }
  std::span<std::uint64_t> current(unsigned workers) {
    return {reinterpret_cast<std::uint64_t*>(results().data() + seeds), workers};
  }
  static std::size_t bytes(std::uint64_t seeds, unsigned workers) {
    return sizeof(Board) + seeds * sizeof(SeedResult) + workers * sizeof(std::uint64_t);
  }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

[[noreturn]] void work(const Suite& suite, const RunOptions& options, Board& board, std::uint64_t& current) {
  for (;;) {
    const std::uint64_t index = board.next.fetch_add(1, std::memory_order_relaxed);  // only hands out numbers
    if (index >= board.seeds) break;
    current = index;
    ::alarm(suite.seed_timeout_s);
    board.results()[index] = suite.run(options.first + index, {.nodes = options.nodes});
  }
  std::fflush(stderr);
  ::_exit(0);
}

pid_t start(const Suite& suite, const RunOptions& options, Board& board, unsigned worker) {
  std::fflush(stdout);
  std::fflush(stderr);
  const pid_t pid = ::fork();
  PN_CHECK(pid >= 0);
  if (pid == 0) work(suite, options, board, board.current(options.workers)[worker]);
  return pid;
}

}  // namespace

std::vector<SeedResult> run_seeds(const Suite& suite, const RunOptions& options) {
  const std::size_t size = Board::bytes(options.seeds, options.workers);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  PN_CHECK(memory != MAP_FAILED);
  Board& board = *new (memory) Board;
  board.seeds = options.seeds;
  std::uninitialized_default_construct(board.results().begin(), board.results().end());

  std::map<pid_t, unsigned> workers;
  for (unsigned w = 0; w < options.workers; ++w) workers.emplace(start(suite, options, board, w), w);
  while (!workers.empty()) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, 0);
    const auto found = workers.find(pid);
    if (found == workers.end()) continue;
    const unsigned w = found->second;
    workers.erase(found);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    SeedResult& result = board.results()[board.current(options.workers)[w]];
    const bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    result.fail(hung ? "hung: no end within the wall time" : "crashed: the process died (its last words are above)");
    result.state = hung ? SeedResult::State::kHung : SeedResult::State::kCrashed;
    workers.emplace(start(suite, options, board, w), w);
  }
  std::vector<SeedResult> out(board.results().begin(), board.results().end());
  ::munmap(memory, size);
  return out;
}

namespace {

struct Arguments {
  std::string suite = "pair";
  std::string mutant;
  std::uint64_t first = 1;
  std::optional<std::uint64_t> seeds;
  std::optional<std::uint64_t> only;
  std::uint32_t nodes = 0;
  unsigned jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
  bool full = false;
  bool verbose = false;
};

std::optional<std::uint64_t> number(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// nullopt: printed what is wrong.
std::optional<Arguments> parse(const std::vector<std::string>& words) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--full") {
      out.full = true;
    } else if (word == "--verbose") {
      out.verbose = true;
    } else if (i + 1 == words.size()) {
      std::fprintf(stderr, "sim: %s is unknown or needs a value\n", word.c_str());
      return std::nullopt;
    } else if (word == "--suite") {
      out.suite = words[++i];
    } else if (word == "--mutant") {
      out.mutant = words[++i];
    } else {
      const std::optional<std::uint64_t> value = number(words[++i]);
      const bool known =
          word == "--first" || word == "--seeds" || word == "--seed" || word == "--jobs" || word == "--nodes";
      if (!known || !value) {
        std::fprintf(stderr, "sim: %s %s is not understood\n", word.c_str(), words[i].c_str());
        return std::nullopt;
      }
      if (word == "--first") out.first = *value;
      if (word == "--seeds") out.seeds = *value;
      if (word == "--seed") out.only = *value;
      if (word == "--nodes") out.nodes = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(*value, 1, 4000));
      if (word == "--jobs") out.jobs = static_cast<unsigned>(std::clamp<std::uint64_t>(*value, 1, 64));
    }
  }
  return out;
}

void print_seed(std::uint64_t seed, const SeedResult& r) {
  std::printf("seed %llu %s trace %016llx events %llu bytes %llu virtual %.3f s %s\n",
              static_cast<unsigned long long>(seed), r.passed() ? "passed" : "FAILED",
              static_cast<unsigned long long>(r.trace), static_cast<unsigned long long>(r.events),
              static_cast<unsigned long long>(r.bytes), static_cast<double>(r.virtual_ns) * 1e-9, r.reason.data());
}

}  // namespace

int run_main(const std::vector<Suite>& suites, const std::vector<std::string>& words,
             const std::function<bool(const std::string&)>& select_mutant) {
  const std::optional<Arguments> arguments = parse(words);
  if (!arguments) return 2;
  const auto suite =
      std::find_if(suites.begin(), suites.end(), [&](const Suite& s) { return s.name == arguments->suite; });
  if (suite == suites.end()) {
    std::fprintf(stderr, "sim: there is no suite %s\n", arguments->suite.c_str());
    return 2;
  }
  if (!arguments->mutant.empty() && !select_mutant(arguments->mutant)) {
    std::fprintf(stderr, "sim: there is no planted bug %s\n", arguments->mutant.c_str());
    return 2;
  }
  RunOptions options;
  options.first = arguments->only.value_or(arguments->first);
  options.seeds = arguments->seeds.value_or(arguments->full ? suite->full_seeds : suite->default_seeds);
  if (arguments->only) options.seeds = 1;
  options.nodes = arguments->nodes;
  options.workers =
      static_cast<unsigned>(std::min<std::uint64_t>(arguments->jobs, std::max<std::uint64_t>(1, options.seeds)));

  std::vector<SeedResult> results;
  if (arguments->only && arguments->verbose)
    results.push_back(suite->run(
        options.first, {.verbose = true, .nodes = options.nodes}));  // in this process, where a debugger can watch
  else
    results = run_seeds(*suite, options);

  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < results.size(); ++i) {
    if (arguments->verbose || arguments->only || !results[i].passed()) print_seed(options.first + i, results[i]);
    if (results[i].passed()) continue;
    ++failed;
    const std::string mutant = arguments->mutant.empty() ? "" : " --mutant " + arguments->mutant;
    const std::string nodes = options.nodes == 0 ? "" : " --nodes " + std::to_string(options.nodes);
    std::printf("  repeat: ./dev sim --suite %s --first %llu --seeds 1%s%s\n", suite->name.c_str(),
                static_cast<unsigned long long>(options.first + i), nodes.c_str(), mutant.c_str());
  }
  std::printf("%llu seeds, %llu failed\n", static_cast<unsigned long long>(options.seeds),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace peernet::sim
