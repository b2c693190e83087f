// Arbitrary bytes as what members say to each other about names and actors: deliveries and their
// outcomes, starts and stops, the hosted directory, the frames of isolated actors. What is read is
// written again, and that must be read as the same.
//
// The first byte of an input says as what the others are tried.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "fuzz/require.h"
#include "grid/actor/actor_protocol.h"
#include "grid/actor/isolated_pipe.h"
#include "grid/actor/start_protocol.h"
#include "grid/directory/hosted_protocol.h"
#include "handlers/delivery.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/messagepack.h"

namespace grid::internal {
namespace {

constexpr size_t kMaxTargets = 1000;

using fuzz::Require;

bool Same(BytesView a, BytesView b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// Reads `bytes` as T; what was read is the same after another way through the wire.
template <typename T>
bool Read(BytesView bytes, T& value) {
  if (!Decode(bytes, value).ok()) return false;
  Buffer once = Buffer::Empty();
  Require(Encode(value, once).ok(), "what was read can't be written");
  T again;
  Require(Decode(once.view(), again).ok(), "what was written is refused");
  Buffer twice = Buffer::Empty();
  Require(Encode(again, twice).ok(), "what was read again can't be written");
  Require(Same(once.view(), twice.view()), "a message changed on its way");
  return true;
}

// What stands for an error is one, and says how far it came.
void CheckError(const absl::Status& status) {
  Require(!status.ok(), "an error is none");
  const Delivery delivery = DeliveryOf(status);
  Require(delivery <= Delivery::kExecuted, "an error has no delivery class");
}

void TryDelivery(BytesView bytes) {
  const absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(bytes, kMaxTargets);
  if (!arrived.ok()) return CheckError(arrived.status());
  const DeliverHeader& header = arrived->header;
  Require(!header.targets.empty() && header.targets.size() <= kMaxTargets, "a bad target count");
  Require(arrived->type_offset + header.type_bytes <= bytes.size(), "the type is outside");
  Require(arrived->from.has_value() != header.from.empty(), "the sender came or went");
  DeliverHeader again;
  Require(Read(bytes.subspan(4, arrived->type_offset - 4), again), "the header is refused alone");
}

void TryOutcome(BytesView bytes) {
  const LetterOutcome outcome = DecodeOutcome(bytes);
  if (!outcome.ok()) CheckError(outcome.status());
  Buffer written = Buffer::Empty();
  EncodeOutcome(outcome, written);
  const LetterOutcome again = DecodeOutcome(written.view());
  Require(again.ok() == outcome.ok(), "an outcome turned on its way");
  if (outcome.ok()) {
    Require(again->is_nil() == outcome->is_nil() && Same(again->view(), outcome->view()),
            "an answer changed on its way");
  } else {
    Require(again.status().code() == outcome.status().code() &&
                again.status().message() == outcome.status().message() &&
                DeliveryOf(again.status()) == DeliveryOf(outcome.status()),
            "an error changed on its way");
  }
}

void TryStart(BytesView bytes) {
  StartMessage message;
  if (!Read(bytes, message)) return;
  const absl::StatusOr<StartArguments> start = FromMessage(message);
  if (!start.ok()) return CheckError(start.status());
  const StartMessage again = ToMessage(start->name, start->parameters, start->resources);
  Require(again.name == message.name && again.parameters == message.parameters &&
              again.resources == message.resources,
          "a start changed on its way");
}

template <typename Answer>
void TryAnswer(BytesView bytes) {
  Answer answer;
  if (!Read(bytes, answer)) return;
  const absl::Status status = StatusOf(answer, "http://a:1");
  if (!status.ok()) CheckError(status);
}

void TryEntry(EntryMessage message) {
  const absl::StatusOr<Entry> entry = FromMessage(std::move(message));
  if (!entry.ok()) return CheckError(entry.status());
  const absl::StatusOr<Entry> again = FromMessage(ToMessage(*entry));
  Require(again.ok() && *again == *entry, "an entry changed on its way");
}

void TryWatchEvent(BytesView bytes) {
  WatchEventMessage event;
  if (!Read(bytes, event)) return;
  for (EntryMessage& entry : event.entries) TryEntry(std::move(entry));
}

void TryDirectoryOutcome(BytesView bytes) {
  Outcome outcome;
  if (!Read(bytes, outcome)) return;
  const absl::Status status = StatusOf(outcome);
  if (!status.ok()) CheckError(status);
  TryEntry(std::move(outcome.entry));
}

void TryFrame(BytesView bytes) {
  IsolatedFrame frame;
  if (!Read(bytes, frame)) return;
  const absl::Status status = StatusOf(frame);
  if (!status.ok()) CheckError(status);
  IsolatedFrame again;
  SetCaller(CallerOf(frame), again);
  Require(again.host == frame.host && again.address == frame.address, "a caller changed");
}

template <typename T>
void TryPlain(BytesView bytes) {
  T value;
  Read(bytes, value);
}

using Try = void (*)(BytesView);
// At the end when there is something new: the corpus counts on the order.
constexpr Try kTries[] = {
    TryDelivery,
    TryOutcome,
    TryStart,
    TryAnswer<StartAnswer>,
    TryPlain<StopMessage>,
    TryAnswer<StopAnswer>,
    TryFrame,
    TryWatchEvent,
    TryDirectoryOutcome,
    TryPlain<LeaseMessage>,
    TryPlain<RegisterMessage>,
    TryPlain<UpdateMessage>,
    TryPlain<DeregisterMessage>,
    TryPlain<WatchMessage>,
};

}  // namespace
}  // namespace grid::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using grid::internal::kTries;
  if (size == 0 || data[0] >= std::size(kTries)) return 0;
  kTries[data[0]](grid::BytesView(data + 1, size - 1));
  return 0;
}
