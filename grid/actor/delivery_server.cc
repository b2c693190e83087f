#include "grid/actor/delivery_server.h"

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/actor_protocol.h"
#include "handlers/delivery.h"
#include "handlers/recycling_allocator.h"
#include "handlers/recycling_new.h"

namespace grid::internal {
namespace {

absl::Status Rejected(absl::Status status) {
  return WithDelivery(std::move(status), Delivery::kRejected);
}

// What the letters of one delivery have in common.
struct Arrival {
  const TimePoint deadline;
  const std::shared_ptr<const Sender> sender;
  const std::shared_ptr<Cancellation> cancellation =
      std::allocate_shared<Cancellation>(RecyclingAllocator<Cancellation>());

  Letter LetterOf(const ArrivedDelivery& arrived, Buffer payload) const {
    Letter letter;
    letter.message = std::move(payload);
    letter.offset = static_cast<uint32_t>(arrived.type_offset);
    letter.type_bytes = arrived.header.type_bytes;
    letter.nil_body = arrived.header.nil_body;
    letter.acknowledge = static_cast<Acknowledgement>(arrived.header.acknowledge);
    letter.deadline = deadline;
    letter.sender = sender;
    letter.cancellation = cancellation;
    return letter;
  }
};

LocalDelivery To(const DeliverHeader& header, size_t index) {
  return {.name = header.targets[index].name,
          .epoch = header.targets[index].epoch,
          .deduplicate = std::chrono::milliseconds(header.deduplicate_ms),
          .call = header.call};
}

bool Same(const Caller& a, const Caller& b) {
  return a.host == b.host && a.is_client == b.is_client && a.instance == b.instance &&
         a.address == b.address && a.tls_subject == b.tls_subject;
}

Buffer Encoded(const LetterOutcome& outcome, const RequestContext& context) {
  Buffer answer = context.NewBuffer(outcome.ok() ? outcome->size() + 1 : 256);
  EncodeOutcome(outcome, answer);
  return answer;
}

}  // namespace

// One request: answered by the outcome, or when nobody wants it any more, whichever comes first.
// Any thread.
class DeliveryServer::Single {
 public:
  Single(std::shared_ptr<DeliveryServer> server, RequestContext& context, SingleReply reply,
         std::shared_ptr<Cancellation> cancellation)
      : server_(std::move(server)),
        context_(context),
        reply_(std::move(reply)),
        cancellation_(std::move(cancellation)) {}

  void Complete(const LetterOutcome& outcome) {
    if (answered_.exchange(true)) return;
    server_->open_.fetch_sub(1);
    // The context is there until the answer is given, which whoever comes first does.
    reply_(Encoded(outcome, context_));
  }

  // In a callback of the context's.
  void Cancel() {
    const absl::Status why = context_.cancellation();
    cancellation_->Cancel(why);
    Complete(why);
  }

  class Sink final : public OutcomeSink, public RecyclingNew<Sink> {
   public:
    explicit Sink(std::shared_ptr<Single> single) : single_(std::move(single)) {}
    void Complete(LetterOutcome outcome) override { single_->Complete(outcome); }

   private:
    const std::shared_ptr<Single> single_;
  };

 private:
  const std::shared_ptr<DeliveryServer> server_;
  RequestContext& context_;
  SingleReply reply_;
  const std::shared_ptr<Cancellation> cancellation_;
  std::atomic<bool> answered_{false};
};

// The stream of one message to several targets: writes their outcomes as they come. Any thread.
class DeliveryServer::Many final : public std::enable_shared_from_this<Many> {
 public:
  // `admitted`: how many of max_deliveries the targets have taken: all or none.
  Many(std::shared_ptr<DeliveryServer> server, Stream stream, size_t targets, size_t admitted)
      : server_(std::move(server)),
        stream_(std::move(stream)),
        left_(targets),
        admitted_(admitted) {}

  void Answer(uint32_t index, const LetterOutcome& outcome) {
    Buffer message;
    EncodeIndex(index, message);
    EncodeOutcome(outcome, message);
    {
      std::lock_guard lock(mutex_);
      if (ended_) return;
      unwritten_.push_back(std::move(message));
    }
    WriteNext();
  }

  // Nobody waits any more, or all has been said.
  void End(const absl::Status& why) {
    {
      std::lock_guard lock(mutex_);
      if (ended_) return;
      ended_ = true;
      unwritten_.clear();
    }
    server_->open_.fetch_sub(admitted_);
    stream_.Finish(why);
  }

  class Sink final : public OutcomeSink {
   public:
    Sink(std::shared_ptr<Many> many, uint32_t index) : many_(std::move(many)), index_(index) {}
    void Complete(LetterOutcome outcome) override { many_->Answer(index_, outcome); }

   private:
    const std::shared_ptr<Many> many_;
    const uint32_t index_;
  };

 private:
  // One at a time: the caller's window may hold them up, and there are as many as targets.
  void WriteNext() {
    Buffer message;
    {
      std::lock_guard lock(mutex_);
      if (writing_ || ended_ || unwritten_.empty()) return;
      writing_ = true;
      message = std::move(unwritten_.front());
      unwritten_.pop_front();
    }
    stream_.Write(std::move(message), [self = shared_from_this()](const absl::Status& written) {
      self->OnWritten(written);
    });
  }

  void OnWritten(const absl::Status& written) {
    bool last = false;
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      last = --left_ == 0;
    }
    if (!written.ok() || last) return End(written);
    WriteNext();
  }

  const std::shared_ptr<DeliveryServer> server_;
  Stream stream_;
  std::mutex mutex_;
  std::deque<Buffer> unwritten_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  const size_t admitted_;
};

absl::Status DeliveryServer::Serve(Registrar& registrar, std::shared_ptr<DeliveryServer> server) {
  absl::Status status = registrar.RegisterSingle(
      {.id = kActorDeliver},
      SingleStarter([server](Buffer request, RequestContext& context, SingleReply reply) {
        server->ServeOne(std::move(request), context, std::move(reply));
      }));
  status.Update(
      registrar.RegisterStream({.id = kActorDeliverMany, .out_capacity = kDeliverManyCapacity},
                               StreamStarter([server](Stream stream, RequestContext& context) {
                                 server->ServeMany(std::move(stream), context);
                               })));
  return status;
}

absl::Status DeliveryServer::Admit(size_t count) {
  if (closed_.load()) {
    return Rejected(absl::UnavailableError("the actor system was stopped"));
  }
  if (open_.fetch_add(count) + count > limits_.max_deliveries) {
    open_.fetch_sub(count);
    refused_.fetch_add(count);
    return Rejected(absl::ResourceExhaustedError(
        absl::StrCat(limits_.max_deliveries, " letters are open (ActorLimits::max_deliveries)")));
  }
  return absl::OkStatus();
}

std::shared_ptr<const Sender> DeliveryServer::SenderOf(const ArrivedDelivery& arrived,
                                                       const RequestContext& context) {
  const Caller& process = context.caller();
  const auto make = [&] {
    return std::make_shared<const Sender>(
        Sender{.process = process, .actor = arrived.from, .publication = arrived.publication});
  };
  if (arrived.from.has_value() || arrived.publication.has_value()) return make();
  std::lock_guard lock(senders_mutex_);
  std::shared_ptr<const Sender>& known = senders_[absl::HashOf(process.address) % senders_.size()];
  if (known == nullptr || !Same(known->process, process)) known = make();
  return known;
}

void DeliveryServer::ServeOne(Buffer request, RequestContext& context, SingleReply reply) {
  absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(request.view(), 1);
  if (!arrived.ok()) {
    malformed_.fetch_add(1);
    return reply(Encoded(Rejected(arrived.status()), context));
  }
  if (absl::Status admitted = Admit(1); !admitted.ok()) {
    return reply(Encoded(std::move(admitted), context));
  }
  const Arrival arrival{context.deadline(), SenderOf(*arrived, context)};
  Letter letter = arrival.LetterOf(*arrived, std::move(request));
  auto single = std::allocate_shared<Single>(RecyclingAllocator<Single>(), shared_from_this(),
                                             context, std::move(reply), arrival.cancellation);
  context.OnCancel([single] { single->Cancel(); });
  letter.reply = ReplyToken(std::make_unique<Single::Sink>(std::move(single)));
  residents_->Deliver(To(arrived->header, 0), std::move(letter));
}

void DeliveryServer::ServeMany(Stream stream, RequestContext& context) {
  absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(stream.initial(), limits_.max_targets);
  if (!arrived.ok()) {
    malformed_.fetch_add(1);
    return stream.Finish(Rejected(arrived.status()));
  }
  const size_t targets = arrived->header.targets.size();
  const absl::Status admitted = Admit(targets);
  const Buffer message = Buffer::CopyOf(stream.initial());
  const Arrival arrival{context.deadline(), SenderOf(*arrived, context)};
  auto many = std::make_shared<Many>(shared_from_this(), std::move(stream), targets,
                                     admitted.ok() ? targets : 0);
  context.OnCancel([&context, many, cancellation = arrival.cancellation] {
    cancellation->Cancel(context.cancellation());
    many->End(context.cancellation());
  });
  // As outcomes, which carry their delivery class over any connection.
  for (uint32_t i = 0; !admitted.ok() && i < targets; ++i) many->Answer(i, admitted);
  if (!admitted.ok()) return;
  for (size_t i = 0; i < targets; ++i) {
    Letter letter = arrival.LetterOf(*arrived, Buffer::CopyOf(message.view()));
    letter.reply = ReplyToken(std::make_unique<Many::Sink>(many, static_cast<uint32_t>(i)));
    residents_->Deliver(To(arrived->header, i), std::move(letter));
  }
}

}  // namespace grid::internal
