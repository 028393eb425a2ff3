// What a user or a program sees of one command: notices, progress, events, the closing sentence.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "cli/arguments.hpp"
#include "cli/progress.hpp"
#include "peernet/error.hpp"
#include "peernet/stats.hpp"

namespace peernet::cli {

/// Why a command ends badly: the code is the exit status unless a signal was the reason.
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string text;  ///< printable, no full stop
  /// Whoever read our output has gone: for people that is no failure, and the exit status is that of SIGPIPE.
  bool reader_left = false;
};

/// The same with the file it is about.
Failure failure(const Error& error, std::string_view path = {});

/// The engine's notice that a get found its target there, with the right bytes.
inline constexpr std::string_view kAlreadyComplete = "already complete";

/// "Run the same command again to ...": what a user can do about a failure, empty if the text says it.
std::string_view hint_for(ErrorCode code, Command command);

class Reporter {
 public:
  explicit Reporter(const Invocation& invocation);

  /// For people: not with -q, nor where standard error carries JSON.
  void notice(std::string_view text) const;
  /// The same, only with -v.
  void detail(std::string_view text) const;
  /// The sentence, the hint and, with JSON, the last event. Returns the exit status.
  int fail(const Failure& failure, int caught_signal = 0);

  void on_event(const Event& event, const Progress& progress);
  /// Call often; shows progress when it is time.
  void tick(const Progress& progress);
  /// How long nothing may happen before tick() wants to be called again.
  std::chrono::milliseconds interval() const;

 private:
  /// How often progress is shown in this kind of output.
  std::chrono::milliseconds period() const;

  using Clock = std::chrono::steady_clock;
  enum class Output : std::uint8_t { kNone, kTerminal, kPlain, kJson };

  void json(const std::string& line);
  void show(const Progress& progress);

  const Invocation& invocation_;
  Output output_ = Output::kNone;
  bool sharing_ = false;
  bool json_on_stdout_ = false;
  bool json_broken_ = false;  // its reader is gone; the transfer goes on
  RateMeter meter_;
  Clock::time_point start_;
  Clock::time_point shown_;
  Clock::time_point sampled_;
  std::string last_plain_;
};

}  // namespace peernet::cli
