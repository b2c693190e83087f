#include "grid/actor/post_office.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/actor_protocol.h"
#include "handlers/delivery.h"
#include "handlers/recycling_allocator.h"

namespace grid::internal {
namespace {

absl::Status NotSent(absl::Status status) {
  return WithDelivery(std::move(status), Delivery::kNotSent);
}

// A request to one target, until its answer has come.
class RemoteCall final : public std::enable_shared_from_this<RemoteCall> {
 public:
  explicit RemoteCall(std::unique_ptr<OutcomeSink> sink) : sink_(std::move(sink)) {}

  void Start(const Connection& peer, Buffer payload, std::chrono::milliseconds timeout) {
    const std::shared_ptr<Cancellation> cancellation = sink_->cancellation();
    auto done = [self = shared_from_this()](absl::StatusOr<Buffer> reply) {
      self->sink_->Complete(reply.ok() ? DecodeOutcome(*std::move(reply))
                                       : LetterOutcome(reply.status()));
    };
    if (cancellation == nullptr) {
      return peer.StartRequest(kActorDeliver, std::move(payload), {.timeout = timeout},
                               ReplyHandler(std::move(done)));
    }
    peer.StartRequest(kActorDeliver, std::move(payload), {.timeout = timeout},
                      ReplyHandler(asio::bind_cancellation_slot(signal_.slot(), std::move(done))));
    cancellation->OnCancel([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Cancel();
    });
  }

 private:
  void Cancel() {
    std::lock_guard lock(mutex_);
    signal_.emit(asio::cancellation_type::terminal);
  }

  const std::unique_ptr<OutcomeSink> sink_;
  std::mutex mutex_;  // of two that cancel
  asio::cancellation_signal signal_;
};

// A stream to several targets of one member, until each has answered.
class RemoteCalls final : public std::enable_shared_from_this<RemoteCalls> {
 public:
  RemoteCalls(Stream stream, size_t targets, std::shared_ptr<OutcomesSink> sink)
      : stream_(std::move(stream)), open_(targets, true), sink_(std::move(sink)) {}

  void Start(const std::shared_ptr<Cancellation>& cancellation) {
    if (cancellation != nullptr) {
      cancellation->OnCancel([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->stream_.Cancel();
      });
    }
    Read();
  }

 private:
  void Read() {
    stream_.Read([self = shared_from_this()](ReadResult read) { self->OnRead(std::move(read)); });
  }

  // One at a time.
  void OnRead(ReadResult read) {
    if (!read.ok()) return Fail(read.status());
    if (!read->has_value()) {
      return Fail(WithDelivery(absl::InternalError("the member has ended without an answer"),
                               Delivery::kMaybeExecuted));
    }
    const BytesView bytes = (*read)->view();
    const std::optional<uint32_t> index = DecodeIndex(bytes);
    if (!index.has_value() || *index >= open_.size() || !open_[*index]) {
      stream_.Cancel();
      return Fail(WithDelivery(absl::InvalidArgumentError("an answer of no target"),
                               Delivery::kMaybeExecuted));
    }
    open_[*index] = false;
    sink_->Complete(*index, DecodeOutcome(bytes.subspan(kIndexBytes)));
    // To the end, also behind the last one: a stream that is let go before is one that is given up.
    Read();
  }

  void Fail(const absl::Status& why) {
    for (size_t i = 0; i < open_.size(); ++i) {
      if (open_[i]) sink_->Complete(i, why);
    }
  }

  Stream stream_;
  std::vector<bool> open_;
  const std::shared_ptr<OutcomesSink> sink_;
};

// One target's part of a message to several.
class PartSink final : public OutcomeSink {
 public:
  PartSink(std::shared_ptr<OutcomesSink> sink, size_t index,
           std::shared_ptr<Cancellation> cancellation)
      : sink_(std::move(sink)), index_(index), cancellation_(std::move(cancellation)) {}

  void Complete(LetterOutcome outcome) override { sink_->Complete(index_, std::move(outcome)); }
  std::shared_ptr<Cancellation> cancellation() override { return cancellation_; }

 private:
  const std::shared_ptr<OutcomesSink> sink_;
  const size_t index_;
  const std::shared_ptr<Cancellation> cancellation_;
};

}  // namespace

PostOffice::PostOffice(Manager& manager, std::shared_ptr<Residents> residents,
                       std::shared_ptr<Clock> clock)
    : letters_(std::make_shared<LocalLetters>(manager.local())),
      residents_(std::move(residents)),
      clock_(std::move(clock)),
      manager_(&manager) {}

void PostOffice::Close() {
  std::lock_guard lock(mutex_);
  manager_ = nullptr;
}

absl::StatusOr<Connection> PostOffice::To(const std::string& member) const {
  std::shared_lock lock(mutex_);
  if (manager_ == nullptr) {
    return NotSent(absl::FailedPreconditionError("the actor system was stopped"));
  }
  return manager_->Connection(member);
}

absl::StatusOr<std::chrono::milliseconds> PostOffice::TimeLeft(const Message& message) const {
  if (message.deadline == Letter::kNoDeadline) {
    return std::chrono::milliseconds(std::numeric_limits<uint32_t>::max());
  }
  const Duration left = message.deadline - clock_->Now();
  if (left <= Duration::zero()) {
    return NotSent(absl::DeadlineExceededError("the deadline has passed"));
  }
  return std::chrono::ceil<std::chrono::milliseconds>(left);
}

std::shared_ptr<LetterBox> PostOffice::BoxHere(const Target& target) {
  return residents_->Find(target.name.text(), target.epoch);
}

void PostOffice::DeliverHere(const Target& target, const Message& message,
                             std::unique_ptr<OutcomeSink> sink) {
  Letter letter = letters_->Make(message);
  letter.cancellation = sink->cancellation();
  letter.reply = ReplyToken(std::move(sink));
  residents_->Deliver({.name = target.name.text(),
                       .epoch = target.epoch,
                       .deduplicate = message.deduplicate,
                       .call = message.call},
                      std::move(letter));
}

void PostOffice::Deliver(const Target& target, const Message& message,
                         std::unique_ptr<OutcomeSink> sink) {
  if (target.member == letters_->self()) return DeliverHere(target, message, std::move(sink));
  const absl::StatusOr<Connection> peer = To(target.member);
  if (!peer.ok()) return sink->Complete(peer.status());
  const absl::StatusOr<std::chrono::milliseconds> left = TimeLeft(message);
  if (!left.ok()) return sink->Complete(left.status());
  absl::StatusOr<Buffer> payload = EncodeDelivery({&target, 1}, message);
  if (!payload.ok()) return sink->Complete(NotSent(payload.status()));
  std::allocate_shared<RemoteCall>(RecyclingAllocator<RemoteCall>(), std::move(sink))
      ->Start(*peer, *std::move(payload), *left);
}

void PostOffice::DeliverMany(const std::string& member, const std::vector<Target>& targets,
                             const Message& message, std::shared_ptr<OutcomesSink> sink,
                             std::shared_ptr<Cancellation> cancellation) {
  if (member == letters_->self()) {
    for (size_t i = 0; i < targets.size(); ++i) {
      DeliverHere(targets[i], message, std::make_unique<PartSink>(sink, i, cancellation));
    }
    return;
  }
  const auto fail = [&](const absl::Status& why) {
    for (size_t i = 0; i < targets.size(); ++i) sink->Complete(i, why);
  };
  const absl::StatusOr<Connection> peer = To(member);
  if (!peer.ok()) return fail(peer.status());
  const absl::StatusOr<std::chrono::milliseconds> left = TimeLeft(message);
  if (!left.ok()) return fail(left.status());
  absl::StatusOr<Buffer> payload = EncodeDelivery(targets, message);
  if (!payload.ok()) return fail(NotSent(payload.status()));
  absl::StatusOr<Stream> stream = peer->OpenStream(
      kActorDeliverMany, payload->view(), {.out_capacity = kDeliverManyCapacity, .timeout = *left});
  if (!stream.ok()) return fail(stream.status());
  std::make_shared<RemoteCalls>(*std::move(stream), targets.size(), std::move(sink))
      ->Start(cancellation);
}

void PostOffice::WhenConnected(const std::string& member,
                               absl::AnyInvocable<void(absl::Status)> done) {
  // As long as it takes: names of a member that is gone for good are soon gone as well.
  constexpr std::chrono::milliseconds kForEver{std::numeric_limits<uint32_t>::max()};
  const absl::StatusOr<Connection> peer = To(member);
  if (!peer.ok()) return done(peer.status());
  peer->WaitConnected(kForEver, std::move(done));
}

}  // namespace grid::internal
