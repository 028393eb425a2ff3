// Several pages of a list as one.
#include <nlohmann/json.hpp>
#include <set>

#include "tracker/server/ctl.hpp"

namespace peernet::tracker::server {
namespace {

using Json = nlohmann::ordered_json;

std::string text_in(const Json& json, const char* name) {
  if (!json.is_object()) return "";
  const auto at = json.find(name);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

// It goes into a request: nothing but what a tracker says there.
std::string next_in(const Json& json) {
  std::string next = text_in(json, "next");
  const bool plain = next.find_first_not_of("0123456789abcdef-") == std::string::npos;
  return plain ? next : "";
}

bool has_swarms(const Json& json) {
  return json.is_object() && json.contains("swarms") && json["swarms"].is_array();
}

}  // namespace

struct PageJoiner::Parts {
  std::string first;
  bool joined = false;
  Json all;  // of several pages
  std::set<std::string> keys;

  void add_new(Json& into, const Json& swarms) {
    for (const Json& swarm : swarms)
      if (keys.insert(text_in(swarm, "key")).second) into.push_back(swarm);
  }
};

PageJoiner::PageJoiner(std::string first) : parts_(std::make_unique<Parts>()) {
  parts_->first = std::move(first);
  Json json = Json::parse(parts_->first, nullptr, false);
  if (!has_swarms(json) || next_in(json).empty()) return;
  next_ = next_in(json);
  for (const Json& swarm : json["swarms"]) parts_->keys.insert(text_in(swarm, "key"));
  parts_->all = std::move(json);
}

PageJoiner::~PageJoiner() = default;

bool PageJoiner::add(std::string_view page) {
  Json json = Json::parse(page, nullptr, false);
  if (parts_->keys.empty() || !has_swarms(json)) return false;
  Parts& p = *parts_;
  const std::size_t before = p.keys.size();
  p.add_new(p.all["swarms"], json["swarms"]);
  for (const char* name : {"total", "truncated"})
    if (json.contains(name)) p.all[name] = json[name];
  next_ = next_in(json);
  p.all.erase("next");
  if (!next_.empty()) p.all["next"] = next_;
  p.joined = true;
  return p.keys.size() > before;
}

std::string PageJoiner::take() {
  return parts_->joined ? parts_->all.dump() + "\n" : std::move(parts_->first);
}

}  // namespace peernet::tracker::server
