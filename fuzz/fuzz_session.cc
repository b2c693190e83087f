// One session against a hostile peer: messages of arbitrary bytes and of well-formed nonsense, in
// between local calls, streams, cancels, writes and time. See session_actor.h for what must hold.
//
// The input is a byte of extensions and a list of steps, each begun by a byte:
//   0  a WebSocket message of arbitrary bytes       1-4  a message put together from fields, with a
//   checksum 5  several of those in a Merged                 6    a write begins, 7 it ends 8  time
//   passes                                  9-   something local

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/session_actor.h"

namespace grid::fuzz {
namespace {

std::string SomeMessage(const SessionActor& actor, Input& in) {
  const uint8_t shape = in.Byte();
  Message message;
  message.op = static_cast<Op>(in.Byte() % 20);
  message.mux_id = actor.SomeId(in.Byte());
  // Mostly the right number, or nothing of a stream would ever be reached.
  message.seq = (shape & 7) != 0 ? actor.NextNumber(message.mux_id) : in.Byte();
  message.handler = in.Byte() % 6;
  if ((shape & 8) != 0) message.deadline_ms = in.Short();
  if ((shape & 16) != 0) message.flags = in.Byte() & ~kFlagSubroute;
  message.flags |= kFlagCrc;
  message.payload = in.Bytes(in.Byte() % 64);
  ExtensionFields fields;
  std::string trace;  // what fields refer to
  // A frame with a byte that may be wrong, and how much it says to hold; or no frame at all.
  std::string frame("\x28\xb5\x2f\xfd\x20\x40\x03\x02\x00\x61", 10);  // 64 times "a"
  if ((message.flags & kFlagCompressed) != 0) {
    const uint8_t how = in.Byte();
    frame[how % frame.size()] ^= static_cast<char>(in.Byte());
    if ((how & 0x80) == 0) message.payload = AsBytes(frame);
    fields.original_bytes = (how & 0x40) == 0 ? 64 : in.Byte() - uint64_t{1};
    fields.dictionary = in.Byte() / 254;
  }
  if ((shape & 32) != 0) {
    // Small numbers, or the largest that there are; or a fragment, which may be the one expected.
    const auto some = [&in] { return in.Byte() - uint64_t{1}; };
    if ((shape & 64) != 0) {
      fields.grant_messages = static_cast<uint32_t>(some());
      fields.grant_bytes = some();
      fields.window_messages = static_cast<uint32_t>(some());
      fields.window_bytes = some();
    } else if ((shape & 128) != 0) {
      const uint8_t say = in.Byte();
      const BytesView some_bytes = in.Bytes(in.Byte() % 64);
      trace = (say & 1) != 0 ? Trace().ToString() : std::string(AsText(some_bytes));
      fields.traceparent = (say & 2) != 0 ? trace : std::string_view();
      fields.metadata = (say & 4) != 0 ? some_bytes : BytesView();
      fields.handler = (say & 8) != 0 ? kSingleAbove : uint16_t{0};
    } else {
      const uint8_t place = in.Byte();
      fields.offset = uint64_t{place} / 2;
      fields.more = (place & 1) != 0;
    }
  }
  ExtensionBlock block;
  if ((shape & 32) != 0 || fields.original_bytes != 0) {
    block.Write(fields);
    message.extension = block.view();
    message.flags |= kFlagExtended;
  }
  std::string bytes(EncodedSize(message), '\0');
  EncodeMessage(message, reinterpret_cast<uint8_t*>(bytes.data()));
  return bytes;
}

std::string SomeMerged(const SessionActor& actor, Input& in) {
  const uint8_t count = in.Byte() % 8;
  const Message outer{.seq = count, .op = Op::kMerged};
  std::string bytes(EncodedSize(outer), '\0');
  EncodeMessage(outer, reinterpret_cast<uint8_t*>(bytes.data()));
  for (int i = 0; i < count; ++i) {
    const std::string one = SomeMessage(actor, in);
    uint8_t header[kMaxBinHeader];
    const uint8_t* const end = WriteBinHeader(one.size(), header);
    bytes.append(reinterpret_cast<const char*>(header), static_cast<size_t>(end - header));
    bytes += one;
  }
  return bytes;
}

void Run(Input in) {
  TimePoint now = TimePoint(std::chrono::hours(1));
  const Extensions extensions = SomeExtensions(in, 40);
  SessionActor actor({.honest_peer = false,
                      .extensions = extensions,
                      .first_generation = in.Byte(),
                      .max_resets = 20},
                     &now);
  std::string written;
  while (!in.empty() && !actor.failed()) {
    switch (const uint8_t step = in.Byte() % 16; step) {
      case 0:
        actor.Receive(AsText(in.Bytes(in.Short())));
        break;
      case 1:
      case 2:
      case 3:
      case 4:
        actor.Receive(SomeMessage(actor, in));
        break;
      case 5:
        actor.Receive(SomeMerged(actor, in));
        break;
      case 6:
        actor.StartWrite(&written);
        break;
      case 7:
        actor.FinishWrite();
        break;
      case 8: {
        const auto ms = in.Byte();
        now += std::chrono::milliseconds(ms) * ms;
        actor.OnTimer();
        break;
      }
      default:
        actor.Operate(in);
    }
  }
  // What a failed session is still asked for must do no harm.
  for (int i = 0; i < 8; ++i) actor.Operate(in);
  actor.Shutdown();
  actor.CheckOver();
}

}  // namespace
}  // namespace grid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  grid::fuzz::Run(grid::fuzz::Input(data, size));
  return 0;
}
