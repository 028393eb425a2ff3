#include "cli/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace peernet::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::expected<Invocation, std::string> parse(std::vector<std::string> words) {
  return parse_arguments(words);
}

Invocation good(std::vector<std::string> words) {
  auto result = parse(std::move(words));
  EXPECT_TRUE(result) << result.error();
  return result ? *result : Invocation{};
}

std::string bad(std::vector<std::string> words) {
  auto result = parse(std::move(words));
  EXPECT_FALSE(result);
  return result ? "" : result.error();
}

TEST(Arguments, ShareTakesAPathAndItsOptions) {
  const Invocation i = good({"share", "big.iso", "--public", "--advertise", "a.example:7", "--advertise", "[::1]",
                             "--link-file", "l", "--once"});
  EXPECT_EQ(i.command, Command::kShare);
  EXPECT_EQ(i.share.path, "big.iso");
  EXPECT_TRUE(i.share.is_public);
  EXPECT_TRUE(i.once);
  EXPECT_THAT(i.share.advertise, ElementsAre("a.example:7", "[::1]"));
  EXPECT_EQ(i.link_file, "l");
}

TEST(Arguments, TheDefaultsAreThoseOfTheLibrary) {
  const Invocation i = good({"get", "@link"});
  const GetOptions get;
  const NodeConfig node;
  EXPECT_EQ(i.link_word, "@link");
  EXPECT_EQ(i.get.timeout_seconds, 60);
  EXPECT_EQ(i.get.sync, get.sync);
  EXPECT_EQ(i.get.verify, get.verify);
  EXPECT_FALSE(i.get.overwrite || i.get.trust_members || i.get.metadata_only || i.quiet || i.verbose);
  EXPECT_EQ(i.node.listen, node.listen);
  EXPECT_EQ(i.node.shards, 0u);
  EXPECT_EQ(i.node.max_datagram, 0u);
  EXPECT_EQ(i.node.limit_up, 0u);
  EXPECT_EQ(i.progress, ProgressMode::kAuto);
}

TEST(Arguments, GetTakesAllItsOptionsInAnyOrderAndSpelling) {
  const Invocation i = good({"get", "-o", "dir/", "--timeout=2.5", "--overwrite", "-", "--sync", "none", "--trust",
                             "members", "--progress", "json", "--limit-down", "10MiB", "--limit-up", "1g"});
  EXPECT_EQ(i.link_word, "-");
  EXPECT_EQ(i.get.output, "dir/");
  EXPECT_EQ(i.get.timeout_seconds, 2.5);
  EXPECT_TRUE(i.get.overwrite);
  EXPECT_TRUE(i.get.trust_members);
  EXPECT_EQ(i.get.sync, SyncMode::kNone);
  EXPECT_EQ(i.progress, ProgressMode::kJson);
  EXPECT_EQ(i.node.limit_down, 10u << 20);
  EXPECT_EQ(i.node.limit_up, 1'000'000'000u);
  EXPECT_EQ(good({"get", "x", "--verify", "sha256"}).get.verify, Verify::kSha256);
}

TEST(Arguments, EngineOptionsReachTheNode) {
  const Invocation i = good({"get",        "x",   "--listen", "[::]:0",  "--io",     "epoll", "--offload",      "off",
                             "--direct",   "on",  "--aead",   "openssl", "--shards", "3",     "--max-datagram", "1500",
                             "--identity", "key", "--state",  "dir",     "-v"});
  EXPECT_EQ(i.node.listen, "[::]:0");
  EXPECT_EQ(i.node.io, IoEngine::kEpoll);
  EXPECT_EQ(i.node.offload, Offload::kOff);
  EXPECT_EQ(i.node.direct, DirectWrites::kOn);
  EXPECT_EQ(i.node.aead, AeadChoice::kOpenssl);
  EXPECT_EQ(i.node.shards, 3u);
  EXPECT_EQ(i.node.max_datagram, 1500u);
  EXPECT_EQ(i.identity_file, "key");
  EXPECT_EQ(i.node.state_dir, "dir");
  EXPECT_TRUE(i.verbose);
  EXPECT_EQ(good({"share", "x", "--io", "uring"}).node.io, IoEngine::kUring);
  EXPECT_EQ(good({"share", "x", "--io", "uring", "--io", "auto"}).node.io, IoEngine::kAuto) << "the last one counts";
}

TEST(Arguments, InfoTellsLinksFromPaths) {
  for (const char* link : {"peernet:abc", "@file", "-"}) {
    EXPECT_EQ(good({"info", link}).link_word, link);
    EXPECT_EQ(good({"info", link}).path, "");
  }
  EXPECT_EQ(good({"info", "./@file"}).path, "./@file");
  EXPECT_EQ(good({"info", "x"}).link_word, "");
  EXPECT_EQ(good({"info", "x"}).get.timeout_seconds, 10);
  EXPECT_EQ(good({"info", "x", "--timeout", "3"}).get.timeout_seconds, 3);
  EXPECT_TRUE(good({"info", "x"}).get.metadata_only);
}

TEST(Arguments, VerifyAndKeygenNeedTheirFiles) {
  const Invocation i = good({"verify", "file", "--against", "@l"});
  EXPECT_EQ(i.command, Command::kVerify);
  EXPECT_EQ(i.path, "file");
  EXPECT_EQ(i.link_word, "@l");
  EXPECT_THAT(bad({"verify", "file"}), HasSubstr("--against LINK is missing"));
  EXPECT_EQ(good({"keygen", "-o", "key"}).key_file, "key");
  EXPECT_THAT(bad({"keygen"}), HasSubstr("-o FILE is missing"));
  EXPECT_THAT(bad({"keygen", "x", "-o", "key"}), HasSubstr("takes no words"));
}

TEST(Arguments, WordsBehindTwoDashesAreNoOptions) {
  EXPECT_EQ(good({"share", "--once", "--", "--odd name"}).share.path, "--odd name");
  EXPECT_EQ(good({"share", "--", "-x"}).share.path, "-x");
}

TEST(Arguments, ComplaintsAreSentencesThatNameTheFix) {
  EXPECT_THAT(bad({}), HasSubstr("a command is missing"));
  EXPECT_THAT(bad({"get"}), HasSubstr("LINK is missing"));
  EXPECT_THAT(bad({"share"}), HasSubstr("PATH is missing"));
  EXPECT_THAT(bad({"share", "a", "b"}), HasSubstr("one PATH is enough, \"b\" is too much"));
  EXPECT_THAT(bad({"share", ""}), HasSubstr("PATH is empty"));
  EXPECT_THAT(bad({"get", "x", "--io", "fast"}), HasSubstr("--io wants auto, uring or epoll, not \"fast\""));
  EXPECT_THAT(bad({"get", "x", "--shards", "9"}), HasSubstr("--shards wants a number from 1 to 8"));
  EXPECT_THAT(bad({"get", "x", "--shards", "-1"}), HasSubstr("--shards wants a number from 1 to 8"));
  EXPECT_THAT(bad({"get", "x", "--max-datagram", "1279"}), HasSubstr("from 1280 to 65535"));
  EXPECT_THAT(bad({"get", "x", "--limit-up", "fast"}), HasSubstr("--limit-up wants bytes per second such as 100M"));
  EXPECT_THAT(bad({"get", "x", "--timeout", "soon"}), HasSubstr("--timeout wants seconds"));
  EXPECT_THAT(bad({"get", "x", "--trust", "all"}), HasSubstr("--trust wants members"));
  EXPECT_TRUE(good({"get", "x", "-o", "-"}).to_stdout);
  EXPECT_THAT(bad({"get", "x", "-o", "-", "--overwrite"}), HasSubstr("--overwrite and -o -"));
  EXPECT_THAT(bad({"get", "x", "-o", "-", "--files", "*"}), HasSubstr("--files and -o -"));
  EXPECT_THAT(bad({"get", "x", "-o", "-", "--seed-after", "1"}), HasSubstr("--seed-after and -o -"));
  EXPECT_THAT(bad({"get", "x", "--seed-after", "ever"}), HasSubstr("--seed-after wants seconds, or forever"));
  EXPECT_THAT(bad({"get", "x", "--progress-every", "1"}), HasSubstr("wants --progress json beside it"));
  for (const char* word : {"0", "0.0001", "3601", "often"})
    EXPECT_THAT(bad({"get", "x", "--progress", "json", "--progress-every", word}),
                HasSubstr("--progress-every wants seconds from 0.001 to 3600"));
  EXPECT_THAT(bad({"get", "x", "--files", ""}), HasSubstr("--files wants a pattern"));
  EXPECT_THAT(bad({"get", "x", "--max-peers", "1"}), HasSubstr("--max-peers wants a number from 2"));
  EXPECT_THAT(bad({"get", "x", "--sequental"}), HasSubstr("did you mean --sequential?"));
  EXPECT_THAT(bad({"get", "x", "--file", "a"}), HasSubstr("did you mean --files?"));
  EXPECT_THAT(bad({"get", "x", "-o"}), HasSubstr("wants a value behind it"));
  EXPECT_THAT(bad({"get", "x", "-q", "-v"}), HasSubstr("contradict"));
  EXPECT_THAT(bad({"get", "x", "--trust", "members", "--verify", "sha256"}), HasSubstr("contradict"));
  EXPECT_THAT(bad({"-v", "get"}), HasSubstr("options come behind the command"));
  EXPECT_THAT(bad({"peernet:abc"}), HasSubstr("peernet get LINK"));
  for (const auto& words : {std::vector<std::string>{"get"}, {"get", "x", "--io", "fast"}, {"get", "x", "--nonsense"}})
    EXPECT_TRUE(bad(words).ends_with("Try \"peernet get --help\"."));
}

TEST(Arguments, ALinkIsNotRepeatedInAComplaint) {
  const std::string link =
      "peernet:" + std::string(43, 'C') + "." + std::string(43, 'K') + "." + std::string(43, 'P') + "/p=a:1/x";
  for (const auto& complaint : {bad({link}), bad({"get", link, link}), bad({"share", "x", link}), bad({"keygen", link}),
                                bad({"get", "x", "--io", link}), bad({"--" + link}), bad({"get", "x", "--" + link})})
    EXPECT_EQ(complaint.find("KKKK"), std::string::npos) << complaint;
}

TEST(Arguments, TyposGetASuggestion) {
  EXPECT_THAT(bad({"shrae", "x"}), HasSubstr("did you mean share?"));
  EXPECT_THAT(bad({"gte", "x"}), HasSubstr("did you mean get?"));
  EXPECT_THAT(bad({"frobnicate"}), HasSubstr("it is share, get, info, verify, status or keygen"));
  EXPECT_THAT(bad({"get", "x", "--overwrit"}), HasSubstr("did you mean --overwrite?"));
  EXPECT_THAT(bad({"get", "x", "--time=3"}), HasSubstr("there is no option \"--time\""));
  EXPECT_THAT(bad({"get", "x", "--public"}), HasSubstr("there is no option \"--public\"")) << "an option of share";
  EXPECT_THAT(bad({"get", "x", "-z"}), HasSubstr("there is no option \"-z\""));
}

TEST(Arguments, HelpAndVersionAreForStdout) {
  EXPECT_EQ(good({"--version"}).text, "peernet " PEERNET_VERSION "\n");
  for (const auto& words : {std::vector<std::string>{"--help"}, {"-h"}, {"help"}})
    EXPECT_EQ(good(words).text, help_text(""));
  for (const char* command : {"share", "get", "info", "verify", "status", "keygen"}) {
    EXPECT_EQ(good({command, "--help"}).text, help_text(command));
    EXPECT_EQ(good({command, "x", "--io", "nonsense", "-h"}).text, help_text(command))
        << "help even when the rest is wrong";
    EXPECT_EQ(good({"help", command}).text, help_text(command));
  }
}

// An option that the help names is accepted, so the help cannot grow stale in that direction; the other direction is
// the list below.
TEST(Arguments, EveryOptionInTheHelpExists) {
  const std::regex option("--[a-z][a-z-]+");
  for (const char* command : {"share", "get", "info", "verify", "status", "keygen"}) {
    const std::string text = help_text(command);
    for (auto at = std::sregex_iterator(text.begin(), text.end(), option); at != std::sregex_iterator(); ++at) {
      const auto result = parse({command, "x", at->str(), "1"});
      const std::string complaint = result ? "" : result.error();
      EXPECT_EQ(complaint.find("there is no option"), std::string::npos) << command << ": " << complaint;
    }
  }
}

TEST(Arguments, OfAFolderAPartMayBeAskedForAndServedOn) {
  const Invocation i = good({"get", "x", "--files", "*.jpg", "--files", "docs/", "--seed-after", "forever",
                             "--sequential", "--max-peers", "50"});
  EXPECT_EQ(i.get.files, (std::vector<std::string>{"*.jpg", "docs/"}));
  EXPECT_LT(i.get.seed_after_seconds, 0);
  EXPECT_TRUE(i.get.sequential);
  EXPECT_EQ(i.node.max_peers, 50u);
  EXPECT_EQ(good({"get", "x", "--seed-after", "1.5"}).get.seed_after_seconds, 1.5);
  EXPECT_EQ(good({"get", "x"}).progress_every, 0.2);
  EXPECT_EQ(good({"get", "x", "--progress", "json", "--progress-every", "0.01"}).progress_every, 0.01);
  EXPECT_EQ(good({"info", "x", "--files", "a"}).get.files.size(), 1u);
}

TEST(Arguments, TheHelpNamesEveryOption) {
  const std::vector<std::string> engine{"--listen", "--io",           "--offload",  "--direct",     "--aead",
                                        "--shards", "--max-datagram", "--limit-up", "--limit-down", "--identity",
                                        "--state",  "--quiet",        "--verbose",  "--help"};
  const std::vector<std::pair<std::string, std::vector<std::string>>> own{
      {"share", {"--public", "--advertise", "--link-file", "--once", "--tracker", "--join", "--beat"}},
      {"get", {"--output", "--overwrite", "--timeout", "--sync", "--verify", "--trust"}},
      {"info", {"--offline", "--timeout"}},
      {"verify", {"--against", "--timeout"}},
      {"status", {"--json", "--timeout"}}};
  for (const auto& [command, options] : own) {
    for (const std::string& option : options) EXPECT_THAT(help_text(command), HasSubstr(option + " ")) << command;
    for (const std::string& option : engine) EXPECT_THAT(help_text(command), HasSubstr(option + " ")) << command;
    if (command != "status") {
      EXPECT_THAT(help_text(command), HasSubstr("--progress ")) << command;
    }
  }
  for (const char* command : {"", "share", "get", "info", "verify", "status", "keygen"}) {
    std::istringstream lines(help_text(command));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
  }
}

}  // namespace
}  // namespace peernet::cli
