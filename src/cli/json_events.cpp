#include "cli/json_events.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace peernet::cli {
namespace {

using Json = nlohmann::ordered_json;

Json object(const char* event) {
  return Json{{"v", 1}, {"event", event}};
}

// ASCII only, and bytes that are not UTF-8 become U+FFFD: a name from a peer can break neither a parser nor a terminal.
std::string line_of(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return "starting";
    case Phase::kHashing:
      return "hashing";
    case Phase::kConnecting:
      return "connecting";
    case Phase::kChecking:
      return "checking";
    case Phase::kRunning:
      return "running";
    case Phase::kFinishing:
      return "finishing";
    case Phase::kSeeding:
      return "seeding";
    case Phase::kDone:
      return "done";
    case Phase::kFailed:
      return "failed";
  }
  return "starting";
}

double thousandths(double value) {
  return std::round(value * 1000) / 1000;
}

}  // namespace

std::optional<std::string> json_event(const Event& event, const Progress& progress) {
  Json json;
  switch (event.kind) {
    case EventKind::kStart:
      json = object("start");
      json["name"] = event.text;
      json["bytes"] = event.bytes;
      json["chunks"] = event.number;
      json["files"] = event.files;
      break;
    case EventKind::kSource:
      json = object("source");
      json["peer"] = event.peer;
      json["text"] = event.text;
      json["sources"] = progress.sources;
      json["bytes"] = event.bytes;
      break;
    case EventKind::kTracker:
      json = object("tracker");
      json["tracker"] = event.peer;
      json["listed"] = event.number == 1;
      json["text"] = event.text;
      break;
    case EventKind::kChunkBad:
      json = object("chunk_bad");
      json["chunk"] = event.number;
      json["peer"] = event.peer;
      json["text"] = event.text;
      break;
    case EventKind::kRetry:
      json = object("retry");
      json["peer"] = event.peer;
      json["text"] = event.text;
      break;
    case EventKind::kVerify:
      json = object("verify");
      json["bytes"] = event.bytes;
      break;
    case EventKind::kReceiver:
      json = object("receiver");
      json["peer"] = event.peer;
      json["text"] = event.text;
      json["receivers"] = progress.receivers;
      json["completed"] = progress.completed;
      break;
    case EventKind::kComplete:
      json = object("complete");
      json["path"] = event.text;
      json["bytes"] = event.bytes;
      json["seconds"] = thousandths(event.seconds);
      break;
    case EventKind::kDone:
      json = object("done");
      json["path"] = event.text;
      json["bytes"] = event.bytes;
      json["seconds"] = thousandths(event.seconds);
      json["bytes_resumed"] = progress.bytes_resumed;
      json["bytes_received"] = progress.bytes_received;
      break;
    case EventKind::kLink:
    case EventKind::kNotice:
    case EventKind::kError:
      return std::nullopt;
  }
  return line_of(json);
}

std::string json_progress(const Progress& p, double rate) {
  Json json = object("progress");
  json["phase"] = phase_name(p.phase);
  json["name"] = p.name;
  json["bytes_total"] = p.bytes_total;
  json["bytes_done"] = p.bytes_done;
  json["bytes_resumed"] = p.bytes_resumed;
  json["bytes_received"] = p.bytes_received;
  json["bytes_duplicate"] = p.bytes_duplicate;
  json["bytes_sent"] = p.bytes_sent;
  json["rate"] = std::round(std::max(rate, 0.0));
  json["eta_seconds"] = nullptr;
  const bool moving = p.phase == Phase::kHashing || p.phase == Phase::kRunning;
  if (moving && rate > 0 && p.bytes_done < p.bytes_total)
    json["eta_seconds"] = thousandths(static_cast<double>(p.bytes_total - p.bytes_done) / rate);
  json["sources"] = p.sources;
  json["receivers"] = p.receivers;
  json["by_source"] = Json::array();
  for (const SourceBytes& source : p.by_source)
    json["by_source"].push_back({{"peer", source.peer}, {"bytes", source.bytes}});
  return line_of(json);
}

std::string json_error(ErrorCode code, int exit_status, const std::string& message) {
  Json json = object("error");
  json["code"] = exit_status;
  json["kind"] = name_of(code);
  json["message"] = message;
  return line_of(json);
}

}  // namespace peernet::cli
