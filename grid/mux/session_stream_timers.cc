// Session: deadlines of streams, and the pings that tell one end that the other is still there.
#include <algorithm>

#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// The server gives up after this many of the caller's ping intervals; the caller after
// kCallerPatience.
constexpr int kHandlerPatience = 4;
constexpr int kCallerPatience = 2;

// Streams with a deadline up to one ping interval need no pings: the deadline ends them soon
// enough.
bool NeedsPings(const StreamMux& mux, TimePoint now, std::chrono::milliseconds interval) {
  return mux.deadline == TimePoint::max() || mux.deadline - now > interval;
}

}  // namespace

void Session::StartStreamTimers(StreamMux* mux) {
  if (mux->deadline != TimePoint::max()) wheel_.Set(&mux->deadline_timer, mux->deadline);
  if (!NeedsPings(*mux, now_, config_.stream_ping_interval)) return;
  const int intervals = mux->side == StreamMux::Side::kCaller ? 1 : kHandlerPatience;
  mux->next_ping = now_ + intervals * config_.stream_ping_interval;
  wheel_.Set(&mux->ping_timer, mux->next_ping);
}

void Session::OnStreamDeadline(StreamMux* mux) {
  Abort(mux, WithDelivery(absl::DeadlineExceededError("the stream's deadline has passed"),
                          Delivery::kMaybeExecuted));
}

void Session::OnStreamPingTimer(StreamMux* mux) {
  const auto interval = config_.stream_ping_interval;
  const bool caller = mux->side == StreamMux::Side::kCaller;
  // Behind a large message of its own our Ping has not even left; the connection's pings must do.
  if (caller && output_.HasLane({mux->id, true})) mux->last_heard = now_;
  const TimePoint give_up =
      mux->last_heard + (caller ? kCallerPatience : kHandlerPatience) * interval;
  if (now_ >= give_up) {
    counters_.Count(Drop::kStreamPingTimeout);
    return Abort(mux, WithDelivery(absl::UnavailableError(
                                       caller ? "the peer no longer answers pings of this stream"
                                              : "the caller no longer pings this stream"),
                                   Delivery::kMaybeExecuted));
  }
  if (!caller) return wheel_.Set(&mux->ping_timer, give_up);
  if (now_ >= mux->next_ping) {
    SendStreamOp(mux, Op::kPing, 0, {});
    mux->next_ping = now_ + interval;
  }
  wheel_.Set(&mux->ping_timer, std::min(mux->next_ping, give_up));
}

void Session::OnMuxPing(const Message& message) {
  StreamMux* mux = FindAlive(message.mux_id, StreamMux::Side::kHandler);
  PongMessage pong;
  PingMessage ping;
  if (!message.payload.empty()) {
    if (Decode(message.payload, &ping).ok()) {
      pong.time = ping.time;
    } else {
      counters_.Count(Drop::kBadControlPayload);
    }
  }
  if (mux == nullptr) {
    // Its end may still wait to be written, and a Pong overtakes it. The caller asks again.
    if (config_.extensions.fragments != 0 && output_.bytes() > 0) return;
    pong.not_found = true;
  } else if (!CheckSequence(message, mux)) {
    return;
  }
  SendPong(message, pong);
}

void Session::OnMuxPong(const Message& message) {
  StreamMux* mux = FindAlive(message.mux_id, StreamMux::Side::kCaller);
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  PongMessage pong;
  if (!Decode(message.payload, &pong).ok()) return counters_.Count(Drop::kBadControlPayload);
  mux->last_heard = now_;
  if (pong.not_found) {
    return EndCallerStream(
        mux, WithDelivery(absl::AbortedError("the peer does not know this stream any more"),
                          Delivery::kMaybeExecuted, /*remote=*/true));
  }
  if (pong.error.has_value()) {
    EndCallerStream(mux, WithDelivery(absl::UnknownError(*pong.error), Delivery::kMaybeExecuted,
                                      /*remote=*/true));
  }
}

}  // namespace grid
