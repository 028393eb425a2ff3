// Settings: three sources, one order, and every complaint says where.
#include "tracker/server/options.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <map>

#include "io/address_text.hpp"

namespace peernet::tracker::server {
namespace {

using testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

Lookup lookup(const Variables& variables) {
  return [&variables](const char* name) {
    const auto at = variables.find(name);
    return at == variables.end() ? nullptr : at->second.c_str();
  };
}

std::string temporary(const std::string& text) {
  const std::string path = testing::TempDir() + "/tracker.toml";
  std::ofstream(path) << text;
  return path;
}

std::expected<ServerOptions, std::string> load(const std::vector<std::string>& words, const Variables& variables = {}) {
  const auto line = read_command_line(words, lookup(variables));
  if (!line) return std::unexpected(line.error());
  return load_options(*line);
}

std::string complaint_of(const std::vector<std::string>& words, const Variables& variables = {}) {
  const auto options = load(words, variables);
  EXPECT_FALSE(options.has_value());
  return options ? "" : options.error();
}

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> out;
  for (const Address& address : addresses) out.push_back(io::format_address(address));
  return out;
}

TEST(Options, WithoutAnySourceTheDefaultsHold) {
  const auto options = load({});
  ASSERT_TRUE(options) << options.error();
  EXPECT_TRUE(options->listen.empty());
  EXPECT_FALSE(options->admin);
  EXPECT_EQ(options->workers, 0u);
  EXPECT_EQ(options->times.beat, std::chrono::seconds(30));
  EXPECT_EQ(options->times.interval, std::chrono::seconds(1800));
  EXPECT_GE(options->limits.peers_per_address, 65'535u);
}

TEST(Options, EveryKeyIsAnOptionAVariableAndALineOfTheFile) {
  const std::map<std::string, std::string> in_file{{"listen", "'127.0.0.1:1'"},
                                                   {"admin", "'127.0.0.1:2'"},
                                                   {"state", "'x'"},
                                                   {"workers", "3"},
                                                   {"beat", "2.5"},
                                                   {"interval", "60"},
                                                   {"max-contents", "7"},
                                                   {"max-peers-per-content", "8"},
                                                   {"max-peers-per-address", "0"},
                                                   {"snapshot", "9"}};
  ASSERT_EQ(in_file.size(), all_keys().size());
  for (const std::string& key : all_keys()) {
    SCOPED_TRACE(key);
    const std::string written = in_file.at(key);
    const std::string bare = written[0] == '\'' ? written.substr(1, written.size() - 2) : written;
    std::string variable = "PEERNET_TRACKER_";
    for (const char c : key) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
    EXPECT_TRUE(load({"--" + key, bare}));
    EXPECT_TRUE(load({"--" + key + "=" + bare}));
    EXPECT_TRUE(load({}, {{variable, bare}}));
    EXPECT_TRUE(load({"--config", temporary(key + " = " + written + "\n")}));
    EXPECT_THAT(std::string(server_help()), HasSubstr("--" + key + " "));
    if (key == "state") continue;  // any text is the name of a folder
    EXPECT_THAT(complaint_of({"--" + key, "nonsense"}), HasSubstr("--" + key));
    EXPECT_THAT(complaint_of({}, {{variable, "nonsense"}}), HasSubstr(variable));
    EXPECT_THAT(complaint_of({"--config", temporary("\n\n" + key + " = 'nonsense'\n")}),
                HasSubstr("tracker.toml:3: " + key + " wants"));
    EXPECT_THAT(complaint_of({"--config", temporary(key + " = {}\n")}), HasSubstr("tracker.toml:1: " + key + " wants"));
  }
}

TEST(Options, TheCommandLineWinsOverTheEnvironmentAndThatOverTheFile) {
  const std::string file = temporary("workers = 3\nbeat = 3\nmax-contents = 3\nlisten = ['127.0.0.1:3', '[::1]:3']\n");
  const Variables variables{{"PEERNET_TRACKER_WORKERS", "2"},
                            {"PEERNET_TRACKER_BEAT", "2"},
                            {"PEERNET_TRACKER_LISTEN", "127.0.0.1:2, [::1]:2"},
                            {"PEERNET_TRACKER_CONFIG", file}};
  const auto all = load({"--workers", "1", "--listen", "127.0.0.1:1", "--listen=[::1]:1"}, variables);
  ASSERT_TRUE(all) << all.error();
  EXPECT_EQ(all->workers, 1u);
  EXPECT_EQ(all->times.beat, std::chrono::seconds(2));
  EXPECT_EQ(all->limits.contents, 3u);
  EXPECT_THAT(texts(all->listen), testing::ElementsAre("127.0.0.1:1", "[::1]:1"));
  const auto two = load({}, variables);
  ASSERT_TRUE(two) << two.error();
  EXPECT_THAT(texts(two->listen), testing::ElementsAre("127.0.0.1:2", "[::1]:2"));
  const auto one = load({"--config", file});
  ASSERT_TRUE(one) << one.error();
  EXPECT_EQ(one->workers, 3u);
  EXPECT_THAT(texts(one->listen), testing::ElementsAre("127.0.0.1:3", "[::1]:3"));
}

TEST(Options, UnknownKeysAndOptionsAreErrorsThatGuess) {
  EXPECT_THAT(complaint_of({"--config", temporary("workers = 1\nmax-content = 5\n")}),
              testing::AllOf(HasSubstr("tracker.toml:2: max-content"), HasSubstr("did you mean \"max-contents\"?")));
  EXPECT_THAT(complaint_of({"--config", temporary("[limits]\nmax-contents = 5\n")}),
              HasSubstr("tracker.toml:1: limits"));
  EXPECT_THAT(complaint_of({"--lisen", "x"}), HasSubstr("did you mean --listen?"));
  EXPECT_THAT(complaint_of({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(complaint_of({"--workers"}), HasSubstr("wants a value"));
}

TEST(Options, AVariableThatIsNoSettingIsToldWithAGuess) {
  const char* const environment[] = {"PATH=/bin",
                                     "PEERNET_TRACKER_BEAT=1",
                                     "PEERNET_TRACKER_CONFIG=x",
                                     "PEERNET_TRACKER_LISTENS=1.2.3.4:5",
                                     "PEERNET_TRACKER_=",
                                     "PEERNET_TRACKER_SOMETHING_ELSE",
                                     nullptr};
  const auto told = unknown_variables(environment);
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0],
            "The variable PEERNET_TRACKER_LISTENS is no setting and is ignored; did you mean PEERNET_TRACKER_LISTEN?");
  EXPECT_THAT(told[1], HasSubstr("PEERNET_TRACKER_ is"));
  EXPECT_EQ(told[2], "The variable PEERNET_TRACKER_SOMETHING_ELSE is no setting and is ignored.");
  EXPECT_TRUE(unknown_variables(nullptr).empty());
}

TEST(Options, WhatIsNoTomlIsToldWithItsLine) {
  EXPECT_THAT(complaint_of({"--config", temporary("workers = 1\nbeat = = 2\n")}), HasSubstr("tracker.toml:2: "));
  EXPECT_THAT(complaint_of({"--config", temporary("workers = 1\nworkers = 2\n")}), HasSubstr("tracker.toml:2: "));
  EXPECT_THAT(complaint_of({"--config", testing::TempDir() + "/missing.toml"}), HasSubstr("No such file"));
}

TEST(Options, NumbersHaveBounds) {
  for (const char* value : {"0", "65", "-1", "1.5", "1e3", "", " 1", "99999999999999999999"})
    EXPECT_THAT(complaint_of({"--workers", value}), HasSubstr("from 1 to 64")) << value;
  for (const char* value : {"0", "-1", "x", "4000"})
    EXPECT_THAT(complaint_of({"--beat", value}), HasSubstr("seconds")) << value;
  EXPECT_THAT(complaint_of({"--config", temporary("workers = 1.0\n")}), HasSubstr("a whole number"));
  EXPECT_THAT(complaint_of({"--config", temporary("workers = '1'\n")}), HasSubstr("a whole number"));
  EXPECT_THAT(complaint_of({"--config", temporary("listen = [1]\n")}), HasSubstr("ADDR:PORT"));
  EXPECT_THAT(complaint_of({"--config", temporary("listen = []\n")}), HasSubstr("at least one"));
}

TEST(Options, APortAloneIsThisHostForTheAdminAndEverywhereForPeers) {
  const auto options = load({"--admin", ":6970", "--listen", "7000"});
  ASSERT_TRUE(options) << options.error();
  EXPECT_EQ(io::format_address(*options->admin), "127.0.0.1:6970");
  EXPECT_EQ(io::format_address(options->listen.at(0)), "[::]:7000");
}

TEST(Options, NamesAreNoAddresses) {
  for (const char* value : {"localhost:6969", "1.2.3.4", "[::1]", "1.2.3.4:70000", ":", ""})
    EXPECT_THAT(complaint_of({"--listen", value}), HasSubstr("ADDR:PORT")) << value;
}

TEST(Options, AnyTextAsAFileEndsInSettingsOrASentence) {
  const std::string good = "listen = ['127.0.0.1:3']\nworkers = 3\nbeat = 1.5\n";
  for (std::size_t cut = 0; cut <= good.size(); ++cut) {
    const auto settings = read_config_text(good.substr(0, cut), "f");
    EXPECT_TRUE(settings.has_value() || !settings.error().empty());
  }
  EXPECT_FALSE(read_config_text(std::string("\xff\x00\x01", 3), "f"));
}

}  // namespace
}  // namespace peernet::tracker::server
