#include "grid/actor/delivery_server.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/actor_protocol.h"
#include "handlers/completion.h"
#include "handlers/delivery.h"
#include "handlers/recycling_allocator.h"

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

}  // namespace

// Where the coroutine of one request waits: for the outcome, or until nobody wants it any more,
// whichever comes first. Any thread.
class DeliveryServer::Single {
 public:
  Single(asio::any_io_executor executor, Completion<LetterOutcome> waiting)
      : executor_(std::move(executor)), waiting_(std::move(waiting)) {}

  // The function that the coroutine has called to wait is over: it may go on inside Complete.
  void Started() { started_.store(true, std::memory_order_release); }

  // `apart`: not inside the caller, who is not done yet.
  void Complete(LetterOutcome outcome, bool apart = false) {
    Completion<LetterOutcome> waiting;
    {
      std::lock_guard lock(mutex_);
      waiting = std::move(waiting_);
    }
    if (!waiting) return;
    if (started_.load(std::memory_order_acquire) && !apart) return waiting(std::move(outcome));
    asio::post(executor_, [waiting = std::move(waiting), outcome = std::move(outcome)]() mutable {
      waiting(std::move(outcome));
    });
  }

  class Sink final : public OutcomeSink {
   public:
    explicit Sink(std::shared_ptr<Single> single) : single_(std::move(single)) {}
    void Complete(LetterOutcome outcome) override { single_->Complete(std::move(outcome)); }

    static void* operator new(size_t) { return RecyclingAllocator<Sink>().allocate(1); }
    static void operator delete(void* memory) {
      RecyclingAllocator<Sink>().deallocate(static_cast<Sink*>(memory), 1);
    }

   private:
    const std::shared_ptr<Single> single_;
  };

 private:
  const asio::any_io_executor executor_;
  std::atomic<bool> started_{false};
  std::mutex mutex_;
  Completion<LetterOutcome> waiting_ ABSL_GUARDED_BY(mutex_);
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
      {.id = kActorDeliver}, SingleCoroutine([server](Buffer request, RequestContext& context) {
        return server->ServeOne(std::move(request), context);
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

asio::awaitable<absl::StatusOr<Buffer>> DeliveryServer::ServeOne(Buffer request,
                                                                 RequestContext& context) {
  LetterOutcome outcome = Buffer();
  absl::StatusOr<ArrivedDelivery> arrived = DecodeDelivery(request.view(), 1);
  absl::Status admitted = arrived.status();
  if (!admitted.ok()) {
    malformed_.fetch_add(1);
    outcome = Rejected(std::move(admitted));
  } else if (admitted = Admit(1); !admitted.ok()) {
    outcome = std::move(admitted);
  } else {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const Arrival arrival{context.deadline(), SenderOf(*arrived, context)};
    Letter letter = arrival.LetterOf(*arrived, std::move(request));
    auto deliver = [&](auto handler) {
      auto single = std::allocate_shared<Single>(RecyclingAllocator<Single>(), executor,
                                                 Completion<LetterOutcome>(std::move(handler)));
      context.OnCancel([&context, single, cancellation = letter.cancellation] {
        cancellation->Cancel(context.cancellation());
        single->Complete(context.cancellation(), /*apart=*/true);
      });
      letter.reply = ReplyToken(std::make_unique<Single::Sink>(single));
      residents_->Deliver(To(arrived->header, 0), std::move(letter));
      single->Started();
    };
    outcome = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(LetterOutcome)>(
        deliver, asio::use_awaitable);
    open_.fetch_sub(1);
  }
  Buffer answer = context.NewBuffer(outcome.ok() ? outcome->size() + 1 : 256);
  EncodeOutcome(outcome, answer);
  co_return answer;
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
