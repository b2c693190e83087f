// Arbitrary bytes as a message: decoded, walked when they are a Merged, their payload tried as
// every control payload. What decodes is encoded again, and that must decode to the same.
//
// The bytes are tried as they are, so a corpus file is simply a message.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz/require.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/control_payloads.h"
#include "serialization/merged.h"
#include "serialization/message.h"
#include "serialization/metadata.h"
#include "serialization/msgpack_cursor.h"
#include "serialization/trace_context.h"

namespace grid {
namespace {

using fuzz::Require;

bool Same(BytesView a, BytesView b) {
  return a.size() == b.size() && IsNil(a) == IsNil(b) &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

bool Within(BytesView part, BytesView whole) {
  return part.empty() || (part.data() >= whole.data() && part.size() <= whole.size() &&
                          part.data() + part.size() <= whole.data() + whole.size());
}

// Go's form is the only one written, so what was written and read back is written the same again.
template <typename T>
void TryPayload(BytesView bytes) {
  T value;
  if (!Decode(bytes, &value).ok()) return;
  Buffer once;
  Encode(value, &once);
  T again;
  Require(Decode(once, &again).ok(), "an encoded control payload is refused");
  Buffer twice;
  Encode(again, &twice);
  Require(Same(once, twice), "a control payload changed on its way");
}

void TryPayloads(BytesView bytes) {
  TryPayload<ConnectRequest>(bytes);
  TryPayload<ConnectResponse>(bytes);
  TryPayload<PingMessage>(bytes);
  TryPayload<PongMessage>(bytes);
  TryPayload<MuxConnectError>(bytes);
  internal::MsgpackReader reader(bytes);
  if (reader.Skip() == internal::MsgpackError::kOk) {
    Require(reader.remaining() < bytes.size(), "an object of no bytes was skipped");
  }
}

void RoundTrip(const Message& message, size_t decoded_size) {
  std::vector<uint8_t> out(EncodedSize(message));
  Require(out.size() <= decoded_size, "the shortest form is longer than what was decoded");
  Require(EncodeMessage(message, out.data()) == out.data() + out.size(), "EncodedSize is wrong");
  Message again;
  BytesView rest;
  Require(DecodeMessage(out, &again, &rest) == DecodeError::kOk, "an encoded message is refused");
  const size_t block = message.extension.empty() ? 0 : 2 + message.extension.size();
  Require(rest.size() == block, "an encoded message has a rest");
  Require(again.mux_id == message.mux_id && again.seq == message.seq &&
              again.deadline_ms == message.deadline_ms && again.handler == message.handler &&
              again.op == message.op && again.flags == message.flags &&
              Same(again.payload, message.payload) && Same(again.extension, message.extension),
          "a message changed on its way");
  Require((again.subroute == nullptr) == (message.subroute == nullptr), "a subroute id was lost");
  Require(message.subroute == nullptr ||
              std::memcmp(again.subroute, message.subroute, kSubrouteIdSize) == 0,
          "a subroute id changed on its way");
}

void TryMetadata(BytesView bytes) {
  const absl::StatusOr<MetadataView> read = MetadataView::Parse(bytes);
  if (!read.ok()) return;
  Metadata written;
  for (const MetadataView::Entry entry : *read) {
    Require(read->Find(entry.key) == entry.value, "an entry is not found");
    Require(written.Add(entry.key, entry.value).ok(), "metadata that was read can't be written");
  }
  Require(written.view().size() == read->size(), "an entry was lost");
  Require(written.view().bytes().size() <= bytes.size(), "metadata is not in its shortest form");
}

void TryTrace(BytesView bytes) {
  const absl::StatusOr<TraceContext> read = TraceContext::Parse(AsText(bytes));
  if (!read.ok()) return;
  const absl::StatusOr<TraceContext> again = TraceContext::Parse(read->ToString());
  Require(again.ok() && *again == *read, "a trace changed on its way");
}

// What can be read is written again, and that must read the same.
void TryExtension(BytesView bytes) {
  ExtensionFields fields;
  ExtensionBlock once;
  if (!ReadExtension(bytes, &fields) || !once.Write(fields)) return;
  ExtensionFields again;
  ExtensionBlock twice;
  Require(ReadExtension(once.view(), &again), "a written extension block is refused");
  Require(twice.Write(again) && Same(once.view(), twice.view()),
          "an extension block changed on its way");
  TryMetadata(fields.metadata);
  TryTrace(AsBytes(fields.traceparent));
}

// Fields only: a Merged inside a Merged is refused above this layer, so it is not walked here.
void TryMessage(BytesView bytes, bool inner) {
  Message message;
  BytesView rest;
  const DecodeError error = DecodeMessage(bytes, &message, &rest);
  Require(!DescribeDecodeError(error).empty(), "an error without a description");
  const uint64_t peeked = PeekMuxId(bytes);
  if (error != DecodeError::kOk) return;
  Require(peeked == message.mux_id || peeked == 0, "a mux id is another one before it is decoded");
  Require(!OpName(message.op).empty(), "an op without a name");
  Require(Within(message.payload, bytes) && Within(rest, bytes), "a view leaves the message");
  Require((message.subroute != nullptr) == ((message.flags & kFlagSubroute) != 0),
          "the subroute id and its flag disagree");
  RoundTrip(message, bytes.size());
  TryPayloads(message.payload);
  TryExtension(message.extension);
  if (message.op != Op::kMerged || inner) return;

  MergedReader reader(message.seq, rest);
  const bool impossible = reader.ImpossibleCount();
  uint64_t count = 0;
  BytesView one;
  while (reader.Next(&one)) {
    Require(Within(one, rest), "an inner message leaves the Merged");
    TryMessage(one, /*inner=*/true);
    ++count;
  }
  Require(reader.ok() == (count == message.seq), "ok() and the count disagree");
  Require(!impossible || !reader.ok(), "an impossible count was walked to its end");
}

}  // namespace
}  // namespace grid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  grid::TryMessage({data, size}, /*inner=*/false);
  grid::TryPayloads({data, size});
  grid::TryExtension({data, size});
  grid::TryMetadata({data, size});
  grid::TryTrace({data, size});
  return 0;
}
