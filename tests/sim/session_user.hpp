// What an endpoint's application is to the endpoint: the handler of a session, and a supplier of file bytes.
#pragma once

#include "transport/session.hpp"

namespace peernet::sim {

class SessionUser : public transport::SessionHandler {
 public:
  /// The session is made; it is the endpoint's, and there until on_closed.
  virtual void attach(transport::Session& session) = 0;
  /// Once a turn, after everything received was handed in.
  virtual void turn(transport::Session& session, Instant now) = 0;
  /// When turn() has something to do although nothing has arrived; local time.
  virtual Instant wake_at() const = 0;
  /// Whether file bytes wait to be sealed.
  virtual bool wants_to_send() const = 0;
  /// Seals one train of what waits; consumed == 0: nothing fits now.
  virtual transport::SealedTrain seal(transport::Session& session, Instant now, MutableByteSpan train) = 0;
};

}  // namespace peernet::sim
