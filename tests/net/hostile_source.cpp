// Sources that mean ill, for whole programs to meet: they hold the swarm's key, shake hands and join as they should,
// and then lie, stall or trickle. Tests and benchmarks name their addresses in a link.
//
//   hostile_source LINK FILE MODE...     MODE: lie, stall, trickle or honest; a source each
//
// FILE is the content that LINK names. Prints the address of each source in the order of the modes, one a line, and
// runs until SIGTERM or SIGINT. Everything is on 127.0.0.1.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string_view>

#include "file_answers.hpp"
#include "peernet/link.hpp"
#include "scripted_source.hpp"

namespace peernet::testing_net {
namespace {

constexpr std::size_t kLieEvery = 4096;  // so that any part of any chunk is wrong somewhere
constexpr std::size_t kTrickleBytes = 256;
constexpr Duration kTrickleEvery = 100ms;

struct Contents {
  std::shared_ptr<const std::string> right, wrong;
};

std::optional<ScriptedSource::Behaviour> behaviour(std::string_view mode, const storage::SharedFile& file,
                                                   const Link& link, const Contents& contents) {
  ScriptedSource::Behaviour out;
  out.key = link.swarm_key;
  out.content = file.id;
  if (mode == "honest") {
    out.answer = answers(file, contents.right);
  } else if (mode == "lie") {  // the tables are right, the chunks are not
    out.answer = answers(file, contents.wrong);
  } else if (mode == "stall") {
    out.answer = [](const wire::RequestFrame&) { return std::vector<std::byte>(); };
  } else if (mode == "trickle") {
    out.answer = answers(file, contents.right);
    out.trickle_bytes = kTrickleBytes;
    out.trickle_every = kTrickleEvery;
  } else {
    return std::nullopt;
  }
  return out;
}

Contents contents_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::string wrong = bytes;
  for (std::size_t at = 0; at < wrong.size(); at += kLieEvery) wrong[at] = static_cast<char>(wrong[at] ^ 1);
  return {std::make_shared<const std::string>(std::move(bytes)), std::make_shared<const std::string>(std::move(wrong))};
}

int run(int argc, char** argv) {
  if (argc < 4) {
    std::fputs("usage: hostile_source LINK FILE lie|stall|trickle|honest...\n", stderr);
    return 2;
  }
  const auto link = parse_link(argv[1]);
  const auto file = storage::hash_file(argv[2], {});
  if (!link || !file || file->id != link->content_id) {
    std::fputs("hostile_source: the link does not parse, or it does not name this file\n", stderr);
    return 2;
  }
  const Contents contents = contents_of(argv[2]);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);  // before the first thread: all inherit it
  std::vector<std::unique_ptr<ScriptedSource>> sources;
  for (int i = 3; i < argc; ++i) {
    auto how = behaviour(argv[i], *file, *link, contents);
    if (!how) {
      std::fprintf(stderr, "hostile_source: there is no mode %s\n", argv[i]);
      return 2;
    }
    sources.push_back(std::make_unique<ScriptedSource>(std::move(*how)));
    std::puts(sources.back()->address().c_str());
  }
  std::fflush(stdout);
  int got = 0;
  sigwait(&ends, &got);
  return 0;
}

}  // namespace
}  // namespace peernet::testing_net

int main(int argc, char** argv) {
  return peernet::testing_net::run(argc, argv);
}
