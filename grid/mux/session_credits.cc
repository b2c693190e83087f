// Session: how much may be sent on a stream, and how much may come. In version 1 one message for
// each credit, with `credits` windows in messages and bytes.
#include <algorithm>
#include <utility>
#include <vector>

#include "grid/mux/session.h"

namespace grid {
namespace {

// Every stream is let have this much, whatever the others have.
constexpr uint64_t kLeastWindow = 4096;

}  // namespace

// --- What we may send ---

void Session::OnUnblock(const Message& message, StreamMux* mux) {
  if (mux == nullptr) return counters_.Count(Drop::kLateStreamMessage);
  if (!CheckSequence(message, mux)) return;
  TakeCredits(mux, config_.extensions.credits != 0
                       ? Credits{fields_.grant_messages, fields_.grant_bytes}
                       : Credits{.messages = 1});
}

void Session::TakeCredits(StreamMux* mux, Credits credits) {
  mux->send.Grant(credits);
  if (!mux->send.open() && !(mux->sending.open && mux->send.open_for_more())) return;
  if (mux->finishing) return SendEnd(mux);
  if (!mux->wants_credit) return;
  mux->wants_credit = false;
  mux->sink->OnSendable();
}

// With `credits`: true when it has to wait, and will be told to go on.
bool Session::WaitForOutput(StreamMux* mux, size_t payload) {
  if (OutputAllows(payload + config_.max_output_bytes / 2)) return false;
  mux->wants_credit = true;
  if (!std::exchange(mux->waits_for_output, true)) output_waiters_.push_back({mux->id, mux->side});
  return true;
}

// Those that waited for room in the output, once half of what they may fill is free.
void Session::ResumeWaiters() {
  if (output_.bytes() > config_.max_output_bytes / 4) return;
  std::vector<Waiter> waiters;
  waiters.swap(output_waiters_);
  for (const Waiter& waiter : waiters) {
    // It may have ended, and waits no longer if credit has come.
    StreamMux* mux = FindAlive(waiter.id, waiter.side);
    if (mux == nullptr) continue;
    mux->waits_for_output = false;
    TakeCredits(mux, {});
  }
}

// --- What may come ---

void Session::Consumed(StreamMux* mux, uint32_t messages, size_t bytes, TimePoint now) {
  mux->receive.Consume(messages, bytes);
  if (ended_ || mux->over || mux->received_eof || mux->finishing) return;
  const Op op = mux->side == StreamMux::Side::kCaller ? Op::kUnblockSrvMux : Op::kUnblockClMux;
  if (config_.extensions.credits != 0) {
    now_ = now;
    if (mux->receive.GrantDue()) SendGrant(mux, op, 0, {});
    return;
  }
  for (uint32_t left = mux->receive.TakeGrant().messages; left > 0; --left) {
    SendStreamOp(mux, op, 0, {});
  }
}

void Session::AddWindow(const ReceiveWindow& window, ExtensionFields* fields) {
  const Credits size = window.size();
  fields->window_messages = size.messages;
  fields->window_bytes = size.bytes;
}

// With all the credit that is due in its block. The window grows, if it should.
void Session::SendGrant(StreamMux* mux, Op op, uint8_t flags, PayloadRef payload,
                        const Compressed& compressed) {
  const uint64_t wanted = mux->receive.WantedGrowth(now_, round_trip_);
  if (wanted > 0) mux->receive.Grow(TakeWindowBytes(wanted));
  const Credits grant = mux->receive.TakeGrant();
  ExtensionFields fields{.grant_messages = grant.messages, .grant_bytes = grant.bytes};
  SendStreamOp(mux, op, flags, payload, compressed, &fields);
}

void Session::OpenReceiveWindow(StreamMux* mux, const StreamWindow& window) {
  uint64_t bytes = std::clamp<uint64_t>(window.bytes, 1, kUnlimitedBytes);
  const uint64_t least = std::min(bytes, kLeastWindow);
  const uint64_t taken = TakeWindowBytes(bytes);
  bytes = std::max(taken, least);
  window_bytes_ += bytes - taken;
  mux->receive.Open({std::max(1u, window.messages), bytes},
                    std::min<uint64_t>(window.max_bytes, kUnlimitedBytes));
}

// Takes from max_window_bytes: at most half of what is left, so that something is left for whoever
// comes next.
uint64_t Session::TakeWindowBytes(uint64_t wanted) {
  const uint64_t left =
      config_.max_window_bytes - std::min(config_.max_window_bytes, window_bytes_);
  if (wanted > left / 2) {
    counters_.Count(Drop::kWindowLimit);
    wanted = left / 2;
  }
  window_bytes_ += wanted;
  return wanted;
}

void Session::ReleaseWindow(const StreamMux& mux) {
  if (mux.reads_pieces) --piece_readers_;
  if (config_.extensions.credits != 0) window_bytes_ -= mux.receive.size().bytes;
}

// Windows grow by the round trip: the first stream asks for it, before there is data in the way.
void Session::MeasureRoundTrip() {
  if (config_.extensions.credits != 0 && ping_sent_ == TimePoint{}) SendPing();
}

}  // namespace grid
