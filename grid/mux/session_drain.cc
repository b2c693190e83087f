// Session: draining, at both ends, and the budget of resets.
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// What Seq says in a Disconnect that ends nothing.
constexpr uint32_t kDrainBegins = 0;
constexpr uint32_t kDrainAnswered = 1;

}  // namespace

// --- We drain ---

void Session::Drain(TimePoint deadline, TimePoint now) {
  if (draining_ || ended_) return;
  now_ = now;
  draining_ = true;
  // Without the extension it is not known what is on its way, and Disconnect would end it all.
  drain_answered_ = config_.extensions.goaway == 0;
  if (!drain_answered_) {
    Message begins{
        .seq = kDrainBegins, .deadline_ms = RemainingMs(deadline, now), .op = Op::kDisconnect};
    Push(begins);
  }
  // By id: a handler that is told may end, and others with it.
  std::vector<uint64_t> ids;
  ids.reserve(serving_.size());
  for (const auto& [id, mux] : serving_) ids.push_back(id);
  for (const uint64_t id : ids) {
    ServerMux* mux = FindServer(id);
    if (mux == nullptr || mux->cancelled) continue;
    if (mux->stream == nullptr) {
      host_.OnRequestDraining(mux->running);
    } else if (!mux->stream->over && !mux->stream->finishing) {
      mux->stream->sink->OnDraining();
    }
  }
}

bool Session::RefuseDraining(const Message& message) {
  counters_.Count(Drop::kDraining);
  SendMuxConnectError(message, absl::UnavailableError("draining: this host takes no new calls"));
  return false;
}

// --- The peer drains ---

void Session::OnDisconnect(const Message& message) {
  if (config_.extensions.goaway == 0 || (message.flags & kFlagEof) != 0) {
    return Fail(SessionEnd::kPeerDisconnect, "the peer is going away");
  }
  if (message.seq == kDrainAnswered && draining_ && !drain_answered_) {
    drain_answered_ = true;
    return;
  }
  if (message.seq != kDrainBegins || peer_draining_) return counters_.Count(Drop::kUnexpectedOp);
  peer_draining_ = true;
  counters_.peer_draining.Set(1);
  answer_due_ = true;
  AnswerDrain();
  host_.OnPeerDraining();
  std::vector<uint64_t> ids;
  calls_.ForEach([&](const ClientMux& mux) {
    if (mux.stream != nullptr) ids.push_back(mux.id);
  });
  for (const uint64_t id : ids) {
    StreamMux* mux = FindStream(id, StreamMux::Side::kCaller);
    if (mux != nullptr) mux->sink->OnDraining();
  }
}

// Once every call that we have made is on its way: where there are classes and fragments, it may
// leave later than what was pushed behind it.
void Session::AnswerDrain() {
  bool all_left = true;
  if (config_.extensions.fragments != 0) {
    calls_.ForEach([&](const ClientMux& mux) {
      all_left = all_left && output_.HasLeft(mux.opening, {mux.id, true});
    });
  }
  if (!all_left) return;
  answer_due_ = false;
  Message answered{.seq = kDrainAnswered, .op = Op::kDisconnect};
  Push(answered);
}

absl::Status Session::PeerDrainingError() {
  counters_.Count(Drop::kPeerDraining);
  return WithDelivery(absl::UnavailableError("the peer drains: it takes no new calls"),
                      Delivery::kRejected);
}

// --- Resets ---

// A call of the peer's that it has given up, or broken, while it ran: work for nothing.
void Session::CountReset() {
  counters_.resets.Add(1);
  if (resets_.Take(now_)) return;
  Fail(SessionEnd::kTooManyResets,
       absl::StrCat("the peer gives up too many of its calls: max_resets (", config_.max_resets,
                    ") and resets_per_second (", config_.resets_per_second, ") are exceeded"));
}

}  // namespace grid
