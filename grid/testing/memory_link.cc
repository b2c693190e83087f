#include "grid/testing/memory_link.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grid::testing::internal {
namespace {

// How long Close waits for the other end, as BeastNetwork does.
constexpr Duration kCloseBound = std::chrono::seconds(1);

// What a write leaves in its caller's bytes: whoever reads them again without encoding anew fails
// at once.
constexpr uint8_t kMask = 0xa5;

}  // namespace

class MemoryLink::EndTransport final : public Transport {
 public:
  EndTransport(std::shared_ptr<MemoryLink> link, int side) : link_(std::move(link)), side_(side) {}
  ~EndTransport() override { link_->Detach(side_); }

  void Start(TransportHandler* handler) override { link_->Start(side_, handler); }
  void SetHandler(TransportHandler* handler) override { link_->ends_[side_].handler = handler; }
  void SetMaxMessageBytes(size_t bytes) override { link_->ends_[side_].max_message_bytes = bytes; }
  bool Write(MutableBytes message) override {
    link_->Write(side_, message);
    return false;
  }
  void Close(CloseCode code, std::string_view reason) override {
    link_->Close(side_, code, reason);
  }
  uint64_t write_progress() const override { return link_->ends_[side_].progress; }
  const std::string& remote_address() const override {
    return link_->ends_[side_].place.remote_address;
  }
  const std::string& tls_subject() const override { return link_->ends_[side_].place.tls_subject; }

 private:
  const std::shared_ptr<MemoryLink> link_;
  const int side_;
};

MemoryLink::MemoryLink(std::shared_ptr<LinkContext> context, Place dialled, Place accepted)
    : context_(std::move(context)) {
  ends_[0].place = std::move(dialled);
  ends_[1].place = std::move(accepted);
}

std::unique_ptr<Transport> MemoryLink::NewTransport(int side) {
  return std::make_unique<EndTransport>(shared_from_this(), side);
}

template <typename Function>
void MemoryLink::After(Duration delay, int side, Function event) {
  context_->events.At(
      context_->events.Now() + delay, *ends_[side].place.io,
      [self = shared_from_this(), event = std::move(event)]() mutable { event(*self); });
}

void MemoryLink::Thaw() {
  frozen_ = false;
  for (const int from : {0, 1}) {
    End& sender = ends_[from];
    if (sender.chunks.empty()) continue;
    // Not before a latency from now: what was held back travels now.
    Chunk& first = sender.chunks.front();
    first.arrival = std::max(first.arrival, context_->events.Now() + context_->Latency());
    ScheduleDelivery(from);
  }
}

void MemoryLink::Sever() {
  frozen_ = false;
  for (const int side : {0, 1}) {
    End& end = ends_[side];
    end.chunks.clear();
    end.in_flight = 0;
    end.unwritten = {};
    end.unfinished = false;
    end.end_sent = true;
    After(context_->Latency(), side, [side](MemoryLink& link) {
      link.Finish(side, CloseCause::kPeerClosed, "connection reset");
    });
  }
}

bool MemoryLink::open() const {
  return std::all_of(ends_.begin(), ends_.end(),
                     [](const End& end) { return end.attached && !end.closed; });
}

void MemoryLink::Start(int side, TransportHandler* handler) {
  End& end = ends_[side];
  if (end.started) throw std::logic_error("Transport::Start was called twice");
  end.started = true;
  end.handler = handler;
  // What arrived before waited for this.
  ScheduleDelivery(1 - side);
}

void MemoryLink::Write(int side, MutableBytes message) {
  End& end = ends_[side];
  if (!end.started) throw std::logic_error("Transport::Write before Start");
  if (end.writing) throw std::logic_error("Transport::Write before OnWritten of the last one");
  if (end.closed || end.closing || end.end_sent) return;
  end.writing = true;
  end.unfinished = true;
  end.unwritten = message;
  end.taken.clear();
  Pump(side);
}

void MemoryLink::Close(int side, CloseCode code, std::string_view reason) {
  End& end = ends_[side];
  if (end.closed || end.closing) return;
  end.closing = true;
  end.close_detail = absl::StrCat("close frame ", static_cast<int>(code), " ", std::string(reason));
  if (!end.writing) SendEnd(side, end.close_detail);
  After(kCloseBound, side, [side](MemoryLink& link) {
    End& me = link.ends_[side];
    me.unfinished = false;
    link.SendEnd(side, me.close_detail);
    link.Finish(side, CloseCause::kLocalClose, "close timed out");
  });
}

void MemoryLink::Detach(int side) {
  End& end = ends_[side];
  end.attached = false;
  end.handler = nullptr;
  end.unfinished = false;
  end.unwritten = {};
  SendEnd(side, "end of file");
  // What is on its way here goes nowhere, but must not stand in the way of the sender either.
  ScheduleDelivery(1 - side);
}

void MemoryLink::Pump(int from) {
  End& sender = ends_[from];
  while (sender.unfinished) {
    const size_t window = context_->options.window_bytes;
    const size_t room = sender.in_flight < window ? window - sender.in_flight : 0;
    const size_t bytes = std::min(room, sender.unwritten.size());
    if (bytes == 0 && !sender.unwritten.empty()) return;

    const MutableBytes part = sender.unwritten.first(bytes);
    sender.taken.insert(sender.taken.end(), part.begin(), part.end());
    for (uint8_t& byte : part) byte ^= kMask;
    sender.unwritten = sender.unwritten.subspan(bytes);
    sender.progress += bytes;
    sender.in_flight += bytes;
    Chunk chunk;
    chunk.bytes = bytes;
    if (sender.unwritten.empty()) {
      sender.unfinished = false;
      chunk.ends_message = true;
      chunk.message = std::move(sender.taken);
      sender.taken.clear();
      const Duration delay =
          context_->random.Between(context_->options.min_write, context_->options.max_write);
      After(delay, from, [from](MemoryLink& link) { link.Written(from); });
    }
    Send(from, std::move(chunk));
  }
}

void MemoryLink::SendEnd(int from, std::string detail) {
  End& sender = ends_[from];
  if (sender.end_sent) return;
  sender.end_sent = true;
  Chunk chunk;
  chunk.ends_connection = true;
  chunk.detail = std::move(detail);
  Send(from, std::move(chunk));
}

void MemoryLink::Send(int from, Chunk chunk) {
  End& sender = ends_[from];
  sender.sent_until = std::max(sender.sent_until, context_->events.Now());
  if (const uint64_t rate = context_->options.bytes_per_second; rate != 0) {
    sender.sent_until += std::chrono::nanoseconds(chunk.bytes * 1'000'000'000 / rate);
  }
  // In order: nothing overtakes.
  sender.last_arrival = std::max(sender.last_arrival, sender.sent_until + context_->Latency());
  chunk.arrival = sender.last_arrival;
  sender.chunks.push_back(std::move(chunk));
  ScheduleDelivery(from);
}

void MemoryLink::ScheduleDelivery(int from) {
  End& sender = ends_[from];
  if (sender.delivery_scheduled || sender.chunks.empty() || frozen_) return;
  sender.delivery_scheduled = true;
  const Duration delay =
      std::max(Duration::zero(), sender.chunks.front().arrival - context_->events.Now());
  After(delay, 1 - from, [from](MemoryLink& link) { link.Deliver(from); });
}

void MemoryLink::Deliver(int from) {
  End& sender = ends_[from];
  End& receiver = ends_[1 - from];
  sender.delivery_scheduled = false;
  if (sender.chunks.empty() || frozen_) return;
  // An end that has not started yet is called upon again by Start.
  if (receiver.attached && !receiver.started) return;
  if (sender.chunks.front().arrival > context_->events.Now()) return ScheduleDelivery(from);

  const Chunk chunk = std::move(sender.chunks.front());
  sender.chunks.pop_front();
  sender.in_flight -= chunk.bytes;
  ScheduleDelivery(from);
  Pump(from);
  if (chunk.ends_connection) return DeliverEnd(from, chunk.detail);
  if (!chunk.ends_message || receiver.closed || receiver.closing || !receiver.attached) return;

  if (chunk.message.size() > receiver.max_message_bytes) {
    SendEnd(1 - from, "message too big");
    return Finish(1 - from, CloseCause::kMessageTooBig, "message too big");
  }
  const uint32_t sever = context_->options.sever_per_million;
  if (sever != 0 && context_->random.Below(1'000'000) < sever) return Sever();
  ++context_->stats.messages;
  context_->stats.bytes += chunk.message.size();
  receiver.handler->OnMessage(chunk.message);
  if (receiver.attached && !receiver.closed && !receiver.closing) receiver.handler->OnReadEnd();
}

void MemoryLink::DeliverEnd(int from, std::string_view detail) {
  // The answer to a close frame, or the reset that follows an end of file: the sender learns of it.
  if (ends_[from].closing) {
    After(context_->Latency(), from,
          [from](MemoryLink& link) { link.Finish(from, CloseCause::kLocalClose, "closed"); });
  }
  const int to = 1 - from;
  ends_[to].end_sent = true;
  ends_[to].unfinished = false;
  ends_[to].unwritten = {};
  Finish(to, ends_[to].closing ? CloseCause::kLocalClose : CloseCause::kPeerClosed, detail);
}

void MemoryLink::Written(int side) {
  End& end = ends_[side];
  if (end.closed || !end.attached) return;
  end.writing = false;
  if (end.closing) SendEnd(side, end.close_detail);
  end.handler->OnWritten();
}

void MemoryLink::Finish(int side, CloseCause cause, std::string_view detail) {
  End& end = ends_[side];
  if (end.closed || !end.attached) return;
  if (!end.started) {
    // Nobody to tell yet: the end of the connection waits with the messages.
    Chunk chunk;
    chunk.ends_connection = true;
    chunk.detail = std::string(detail);
    ends_[1 - side].chunks.push_back(std::move(chunk));
    return;
  }
  end.closed = true;
  end.handler->OnClosed(cause, detail);
}

}  // namespace grid::testing::internal
