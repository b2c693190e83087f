#include "bench/e2e/grid_server.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "bench/e2e/grid_place.h"
#include "handlers/stream.h"
#include "tools/common/handler_memory.h"

namespace grid::bench {
namespace {

absl::StatusOr<Buffer> Echo(BytesView request, RequestContext& context) {
  Buffer reply = context.NewBuffer(request.size());
  reply.Append(request);
  return reply;
}

// How many bytes the messages of a one-way stream have.
size_t SizeOf(const Stream& stream) {
  size_t size = 0;
  const std::string_view text = AsText(stream.initial());
  return absl::SimpleAtoi({text.data(), text.size()}, &size) ? size : 0;
}

// --- On a worker ---

absl::Status EchoBlocking(Stream& stream, RequestContext&) {
  for (;;) {
    ReadResult message = stream.ReadBlocking();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    if (absl::Status s = stream.WriteBlocking((*message)->view()); !s.ok()) return s;
  }
}

absl::Status SendBlocking(Stream& stream, RequestContext&) {
  const std::string payload(SizeOf(stream), 'x');
  absl::Status status;
  while (status.ok()) status = stream.WriteBlocking(AsBytes(payload));
  return status;
}

// --- On the I/O thread: objects that belong to themselves, until the stream is over ---

class OnIo {
 public:
  explicit OnIo(Stream stream) : stream_(std::move(stream)) {}
  virtual ~OnIo() = default;

 protected:
  // A completion that allocates nothing.
  template <typename Self, auto kFunction>
  struct Then {
    using allocator_type = tools::HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&self->memory_); }
    template <typename Result>
    void operator()(Result result) const {
      (self->*kFunction)(std::move(result));
    }
    Self* self;
  };

  void Finish(absl::Status status) {
    stream_.Finish(std::move(status));
    delete this;
  }

  Stream stream_;
  tools::HandlerMemory memory_;  // one operation at a time
};

class IoEcho final : public OnIo {
 public:
  using OnIo::OnIo;
  void Read() { stream_.Read(Then<IoEcho, &IoEcho::OnRead>{this}); }

 private:
  template <typename Self, auto kFunction>
  friend struct OnIo::Then;

  void OnRead(const ReadResult& message) {
    if (!message.ok()) return Finish(message.status());
    if (!message->has_value()) return Finish(absl::OkStatus());
    stream_.Write((*message)->view(), Then<IoEcho, &IoEcho::OnWritten>{this});
  }
  void OnWritten(absl::Status status) {
    if (!status.ok()) return Finish(std::move(status));
    Read();
  }
};

class IoSender final : public OnIo {
 public:
  explicit IoSender(Stream stream) : OnIo(std::move(stream)), payload_(SizeOf(stream_), 'x') {}
  void Write() { stream_.Write(AsBytes(payload_), Then<IoSender, &IoSender::OnWritten>{this}); }

 private:
  template <typename Self, auto kFunction>
  friend struct OnIo::Then;

  void OnWritten(absl::Status status) {
    if (!status.ok()) return Finish(std::move(status));
    Write();
  }

  const std::string payload_;
};

// --- Registration ---

absl::Status RegisterStreams(Registrar& registrar, int index) {
  const uint32_t capacity = CapacityAt(index);
  const auto two_way = [&](HandlerKind kind) {
    return StreamSpec{.id = TwoWayId(kind, index),
                      .in_capacity = capacity,
                      .out_capacity = capacity,
                      .window = WindowOf(capacity)};
  };
  const auto one_way = [&](HandlerKind kind) {
    return StreamSpec{.id = OneWayId(kind, index), .out_capacity = capacity};
  };
  absl::Status status = registrar.RegisterStream(two_way(HandlerKind::kIo),
                                                 StreamStarter([](Stream stream, RequestContext&) {
                                                   (new IoEcho(std::move(stream)))->Read();
                                                 }));
  status.Update(registrar.RegisterStream(one_way(HandlerKind::kIo),
                                         StreamStarter([](Stream stream, RequestContext&) {
                                           (new IoSender(std::move(stream)))->Write();
                                         })));
  status.Update(
      registrar.RegisterStream(two_way(HandlerKind::kWorker), StreamFunction(EchoBlocking)));
  status.Update(
      registrar.RegisterStream(one_way(HandlerKind::kWorker), StreamFunction(SendBlocking)));
  return status;
}

}  // namespace

absl::Status RegisterBenchHandlers(Registrar& registrar) {
  absl::Status status = registrar.RegisterSingle(
      {.id = EchoId(HandlerKind::kIo), .run_on = RunOn::kIoThread}, SingleFunction(Echo));
  status.Update(
      registrar.RegisterSingle({.id = EchoId(HandlerKind::kWorker)}, SingleFunction(Echo)));
  // A filled response keeps its memory from call to call.
  status.Update(kTypedEcho.Register(registrar,
                                    [](const Blob& request, Blob& response, RequestContext&) {
                                      response.assign(request.begin(), request.end());
                                      return absl::OkStatus();
                                    },
                                    {.run_on = RunOn::kIoThread}));
  for (int index = 0; index < kCapacities; ++index) {
    status.Update(RegisterStreams(registrar, index));
  }
  return status;
}

}  // namespace grid::bench
