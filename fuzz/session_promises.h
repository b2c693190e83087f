// What session.h promises, as calls and streams that abort the program where it does not hold: told
// twice, told anything after the end, contents that came from nowhere. They do nothing else: what a
// program does from inside such a callback is their CheckedOwner's part.
#ifndef GRID_FUZZ_SESSION_PROMISES_H_
#define GRID_FUZZ_SESSION_PROMISES_H_

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <utility>

#include "fuzz/require.h"
#include "fuzz/session_setup.h"
#include "grid/mux/session.h"
#include "serialization/merged.h"

namespace grid::fuzz {

class CheckedStream;

// Told from inside callbacks, once they have been checked.
class CheckedOwner {
 public:
  // Of any of them, last.
  virtual void OnCalled(uint8_t mode) = 0;
  virtual void OnArrived(CheckedStream& stream) = 0;
  virtual void OnRoom(CheckedStream& stream) = 0;
  // Handler's end: its input, or the stream is over.
  virtual void OnOver(CheckedStream& stream) = 0;

 protected:
  ~CheckedOwner() = default;
};

// What they have in common. `honest`: the other end is one of ours, so contents are checked.
struct Checked {
  CheckedOwner& owner;
  const bool honest;
  const uint8_t mode;  // given back to the owner
};

class CheckedCall final : public PendingCall, public Checked {
 public:
  CheckedCall(const Checked& common, std::string payload)
      : Checked(common), sent(std::move(payload)) {}

  void OnReply(BytesView payload) {
    Require(!cancelled && ++outcomes_ == 1, "a call completed twice");
    if (honest) Require(AsText(payload) == sent, "a reply is not the request's");
    owner.OnCalled(mode);
  }
  void OnFailed(const absl::Status& status) {
    Require(!status.ok(), "an error that is none");
    Require(!cancelled && ++outcomes_ == 1, "a call completed twice");
    owner.OnCalled(mode);
  }

  bool running() const { return outcomes_ == 0 && !cancelled; }
  void CheckOver() const {
    Require(outcomes_ == (cancelled ? 0 : 1), "a call did not complete exactly once");
  }

  const std::string sent;
  uint64_t id = 0;
  bool cancelled = false;

 private:
  int outcomes_ = 0;
};

// Either end of a stream, whose messages begin with their numbers.
class CheckedStream final : public StreamSink, public Checked {
 public:
  enum class End { kCaller, kHandler };

  CheckedStream(const Checked& common, End end) : Checked(common), end_(end) {}

  void OnData(BytesView payload) override {
    Require(open() && eofs_ == 0, "data after the end");
    Require(partial_.empty(), "a message inside another");
    unread.push_back({1, payload.size()});
    CheckMessage(payload);
    owner.OnArrived(*this);
    owner.OnCalled(mode);
  }
  void OnPiece(BytesView payload, bool last) override {
    Require(open() && eofs_ == 0, "a piece after the end");
    unread.push_back({last ? 1u : 0u, payload.size()});
    // Of a stranger's only some: it may go on for ever.
    if (partial_.size() < 40'000) partial_.append(AsText(payload));
    if (last) CheckMessage(AsBytes(std::exchange(partial_, std::string())));
    owner.OnArrived(*this);
    owner.OnCalled(mode);
  }
  void OnEof() override {
    Require(at_handler(), "EOF at the caller's end");
    Require(open() && ++eofs_ == 1, "EOF twice, or after the end");
    owner.OnOver(*this);
    owner.OnCalled(mode);
  }
  void OnSendable() override {
    Require(open() && waiting, "sendable without waiting");
    waiting = false;
    owner.OnRoom(*this);
    owner.OnCalled(mode);
  }
  void OnDraining() override {
    Require(open() && !told_to_drain_, "told of a drain twice, or too late");
    told_to_drain_ = true;
    owner.OnCalled(mode);
  }
  void OnEnd(const absl::Status& status) override {
    if (at_handler()) {
      Require(mux != nullptr && !status.ok() && ++ends_ == 1, "a handler's stream ended twice");
      owner.OnOver(*this);
    } else {
      Require(!given_up && ++ends_ == 1, "a stream ended twice");
      mux = nullptr;
    }
    owner.OnCalled(mode);
  }

  bool at_handler() const { return end_ == End::kHandler; }
  // Of one whose owner has done its part.
  void CheckOver() const {
    if (at_handler()) return Require(given_up, "a handler runs for ever");
    Require(ends_ == (given_up ? 0 : 1), "a stream did not end exactly once");
  }

  StreamMux* mux = nullptr;                        // null: not to be used any more
  uint64_t id = 0;                                 // caller's end
  bool given_up = false;                           // cancelled, or finished by the handler
  std::deque<std::pair<uint32_t, size_t>> unread;  // messages and bytes that each read takes
  uint32_t sent = 0;                               // messages
  std::string rest;                                // of one that waits for credit
  size_t rest_sent = 0;
  bool waiting = false;  // for OnSendable

 private:
  bool open() const { return mux != nullptr && ends_ == 0; }
  void CheckMessage(BytesView payload) {
    if (!honest) return;
    Require(payload.size() >= 4, "a stream message lost its contents");
    uint32_t number;
    std::memcpy(&number, payload.data(), 4);
    Require(number == received_++, "stream messages out of order, lost or doubled");
  }

  const End end_;
  std::string partial_;  // of a message in pieces
  uint32_t received_ = 0;
  int eofs_ = 0;
  int ends_ = 0;
  bool told_to_drain_ = false;
};

// A request that is answered later.
class CheckedRequest final : public RunningRequest {
 public:
  CheckedRequest(const InboundRequest& asked, BytesView bytes)
      : request(asked), payload(AsText(bytes)) {}

  void OnCancelled(const absl::Status& why) {
    Require(!why.ok() && !answered && !cancelled_,
            "a request was cancelled twice, or after its answer");
    cancelled_ = true;
  }
  void OnDraining() {
    Require(!answered && !cancelled_ && !told_to_drain_,
            "a request was told of a drain twice, or too late");
    told_to_drain_ = true;
  }

  const InboundRequest request;  // its views are not used
  const std::string payload;
  bool answered = false;

 private:
  bool cancelled_ = false;
  bool told_to_drain_ = false;
};

// What a handler is told holds what it promises.
inline void CheckMeta(const CallMeta& meta, bool agreed, bool honest) {
  if (honest) Require(!meta.trace || meta.trace == Trace(), "another trace");
  Require(meta.empty() || agreed, "metadata that was not agreed upon");
  size_t entries = 0;
  size_t text = 0;
  for (const MetadataView::Entry entry : meta.metadata) {
    Require(meta.metadata.Find(entry.key) == entry.value, "an entry is not found");
    text += entry.key.size() + entry.value.size();
    ++entries;
  }
  Require(entries == meta.metadata.size() && entries <= MetadataView::kMaxEntries &&
              text <= MetadataView::kMaxTextBytes,
          "more metadata than there may be");
}

// What is sent can be read.
inline void CheckOutput(BytesView bytes) {
  Message message;
  BytesView rest;
  Require(DecodeMessage(bytes, &message, &rest) == DecodeError::kOk, "output is no message");
  if (message.op != Op::kMerged) return;
  MergedReader reader(message.seq, rest);
  BytesView one;
  while (reader.Next(&one)) {
    Message inner;
    Require(DecodeMessage(one, &inner) == DecodeError::kOk && inner.op != Op::kMerged,
            "an inner message is none");
  }
  Require(reader.ok(), "a Merged holds less than it says");
}

}  // namespace grid::fuzz

#endif  // GRID_FUZZ_SESSION_PROMISES_H_
