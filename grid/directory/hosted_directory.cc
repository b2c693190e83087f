#include "grid/directory/hosted_directory.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <map>
#include <optional>
#include <utility>

#include "grid/directory/directory_client.h"
#include "grid/directory/hosted_protocol.h"
#include "grid/directory/io_gate.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

using internal::IoGate;
using internal::Outcome;
using internal::WatchEventMessage;
using WatchStream = decltype(internal::kDirectoryWatch)::CallerStream;

// What keeps us from asking the table is no answer of its own, whatever it is: it may be otherwise
// the next time.
absl::Status NotReached(const absl::Status& why) {
  if (absl::IsDeadlineExceeded(why)) return why;
  // But there is no table there.
  if (absl::IsUnimplemented(why)) return absl::UnimplementedError("that host serves no directory");
  return absl::UnavailableError(why.message());
}

// How a watch ended: the table's own refusals are answers.
absl::Status EndOf(const absl::Status& why) {
  const bool answer = absl::IsResourceExhausted(why) || absl::IsInvalidArgument(why);
  return answer && IsRemote(why) ? absl::Status(why.code(), why.message()) : NotReached(why);
}

// The stream of one watch, read one message at a time. On the directory's thread; what it waits for
// does not keep it.
class WatchReader : public std::enable_shared_from_this<WatchReader> {
 public:
  explicit WatchReader(std::shared_ptr<IoGate> gate) : gate_(std::move(gate)) {}
  virtual ~WatchReader() = default;

  void Start(const Connection& server, const Selector& selector, bool follow,
             std::chrono::milliseconds timeout) {
    absl::StatusOr<WatchStream> stream = internal::kDirectoryWatch.Open(
        server, {.selector = selector.ToString(), .follow = follow}, {.timeout = timeout});
    if (!stream.ok()) {
      gate_->PostTo(weak_from_this(),
                    [why = stream.status()](WatchReader& self) { self.End(why); });
      return;
    }
    stream_.emplace(*std::move(stream));
    Read();
  }
  void Stop() {
    over_ = true;
    if (stream_.has_value()) stream_->Cancel();
  }

 protected:
  virtual void OnAll(std::vector<Entry> entries) = 0;
  virtual void OnPut(Entry entry) = 0;
  virtual void OnRemove(const Entry& entry) = 0;
  // It has ended; OK where it was to end.
  virtual void OnEnd(absl::Status why) = 0;

 private:
  void Read() {
    stream_->Read([gate = gate_, weak = weak_from_this()](WatchStream::Result message) {
      gate->PostTo(weak, [message = std::move(message)](WatchReader& self) mutable {
        self.OnRead(std::move(message));
      });
    });
  }
  void OnRead(WatchStream::Result message) {
    if (over_) return;
    if (!message.ok()) return End(message.status());
    if (!message->has_value()) return End(absl::OkStatus());
    const absl::Status taken = Take(**std::move(message));
    if (!taken.ok()) return End(taken);
    if (!over_) Read();
  }

  absl::Status Take(WatchEventMessage message) {
    std::vector<Entry> entries;
    for (internal::EntryMessage& part : message.entries) {
      absl::StatusOr<Entry> entry = internal::FromMessage(std::move(part));
      if (!entry.ok()) return absl::UnavailableError(entry.status().message());
      entries.push_back(*std::move(entry));
    }
    if (message.kind == WatchEventMessage::kAll) {
      std::move(entries.begin(), entries.end(), std::back_inserter(all_));
      if (!message.more) OnAll(std::exchange(all_, {}));
      return absl::OkStatus();
    }
    for (Entry& entry : entries) {
      if (over_) break;
      message.kind == WatchEventMessage::kPut ? OnPut(std::move(entry)) : OnRemove(entry);
    }
    return absl::OkStatus();
  }

  void End(absl::Status why) {
    if (std::exchange(over_, true)) return;
    OnEnd(std::move(why));
  }

  const std::shared_ptr<IoGate> gate_;
  std::optional<WatchStream> stream_;
  std::vector<Entry> all_;  // what has come of a kAll in several parts
  bool over_ = false;
};

class SubscriptionReader final : public WatchReader {
 public:
  SubscriptionReader(std::shared_ptr<IoGate> gate, SubscriptionSink& sink)
      : WatchReader(std::move(gate)), sink_(sink) {}

 private:
  void OnAll(std::vector<Entry> entries) override { sink_.OnAll(std::move(entries)); }
  void OnPut(Entry entry) override { sink_.OnPut(std::move(entry)); }
  void OnRemove(const Entry& entry) override { sink_.OnRemove(entry.name, entry.epoch); }
  void OnEnd(absl::Status why) override {
    // The server ends it when it stops.
    sink_.OnEnd(why.ok() ? absl::UnavailableError("the directory ended the watch") : EndOf(why));
  }

  SubscriptionSink& sink_;
};

class ResolveReader final : public WatchReader {
 public:
  ResolveReader(std::shared_ptr<IoGate> gate, DirectoryBackend::Done<std::vector<Entry>> done)
      : WatchReader(std::move(gate)), done_(std::move(done)) {}

 private:
  void OnAll(std::vector<Entry> entries) override { entries_ = std::move(entries); }
  void OnPut(Entry) override {}
  void OnRemove(const Entry&) override {}
  void OnEnd(absl::Status why) override {
    if (!why.ok()) return done_(EndOf(why));
    if (!entries_.has_value()) return done_(absl::UnavailableError("the directory said nothing"));
    done_(*std::move(entries_));
  }

  DirectoryBackend::Done<std::vector<Entry>> done_;
  std::optional<std::vector<Entry>> entries_;
};

class HostedSubscription final : public Subscription {
 public:
  explicit HostedSubscription(std::shared_ptr<WatchReader> reader) : reader_(std::move(reader)) {}
  ~HostedSubscription() override { reader_->Stop(); }

 private:
  const std::shared_ptr<WatchReader> reader_;
};

auto StatusOnly(DirectoryBackend::StatusDone done) {
  return [done = std::move(done)](const absl::StatusOr<Outcome>& outcome) mutable {
    done(outcome.status());
  };
}

class HostedBackend final : public DirectoryBackend {
 public:
  HostedBackend(Connection server, asio::io_context& io)
      : server_(std::move(server)), io_(io), gate_(std::make_shared<IoGate>(io)) {}
  ~HostedBackend() override { gate_->Close(); }

  void Renew(LeaseCall call, Duration limit, Done<LeaseGrant> done) override {
    Ask(internal::kDirectoryRenew,
        {.incarnation = call.incarnation, .seen_epoch = call.seen_epoch, .holds = call.holds},
        limit, [done = std::move(done)](absl::StatusOr<Outcome> outcome) mutable {
          if (!outcome.ok()) return done(outcome.status());
          done(LeaseGrant{.fresh = outcome->fresh});
        });
  }

  void Register(RegisterCall call, Duration limit, Done<Entry> done) override {
    Ask(internal::kDirectoryRegister,
        {.incarnation = call.incarnation,
         .request = call.request,
         .name = call.name.text(),
         .shared = call.holding == Holding::kShared,
         .attributes = std::move(call.attributes),
         .claim = call.claim},
        limit, [done = std::move(done)](absl::StatusOr<Outcome> outcome) mutable {
          if (!outcome.ok()) return done(outcome.status());
          done(internal::FromMessage(std::move(outcome->entry)));
        });
  }

  void Update(UpdateCall call, Duration limit, StatusDone done) override {
    Ask(internal::kDirectoryUpdate,
        {.incarnation = call.incarnation,
         .name = call.name.text(),
         .epoch = call.epoch,
         .attributes = std::move(call.attributes)},
        limit, StatusOnly(std::move(done)));
  }

  void Deregister(DeregisterCall call, Duration limit, StatusDone done) override {
    Ask(internal::kDirectoryDeregister,
        {.incarnation = call.incarnation,
         .name = call.name.text(),
         .epoch = call.epoch,
         .request = call.request},
        limit, StatusOnly(std::move(done)));
  }

  void End(LeaseCall call, Duration limit, StatusDone done) override {
    Ask(internal::kDirectoryEnd, {.incarnation = call.incarnation}, limit,
        StatusOnly(std::move(done)));
  }

  void Flush(Duration limit, Done<uint64_t> done) override {
    Ask(internal::kDirectoryFlush, {}, limit,
        [done = std::move(done)](absl::StatusOr<Outcome> outcome) mutable {
          if (!outcome.ok()) return done(outcome.status());
          done(outcome->count);
        });
  }

  void Resolve(Selector selector, Duration limit, Done<std::vector<Entry>> done) override {
    const uint64_t number = ++last_;
    auto reader = std::make_shared<ResolveReader>(
        gate_, [this, number, done = std::move(done)](auto entries) mutable {
          resolving_.erase(number);
          done(std::move(entries));
        });
    resolving_.emplace(number, reader);
    reader->Start(server_, selector, false, Millis(limit));
  }

  std::unique_ptr<Subscription> Subscribe(const Selector& selector,
                                          SubscriptionSink& sink) override {
    auto reader = std::make_shared<SubscriptionReader>(gate_, sink);
    reader->Start(server_, selector, true, std::chrono::milliseconds(0));
    return std::make_unique<HostedSubscription>(std::move(reader));
  }

  void Close() override { gate_->Close(); }

 private:
  // A call that is under way; the thread runs on until it has ended.
  struct Question {
    Done<Outcome> done;
    asio::executor_work_guard<asio::io_context::executor_type> work;
  };
  using Questions = std::map<uint64_t, Question>;

  static std::chrono::milliseconds Millis(Duration limit) {
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(limit),
                    std::chrono::milliseconds(1));
  }

  // Calls `handler`, and gives `done` the outcome or what kept us from having one.
  template <typename Message>
  void Ask(const SingleHandler<Message, Outcome>& handler, const Message& message, Duration limit,
           Done<Outcome> done) {
    const uint64_t number = ++last_;
    asked_->emplace(number, Question{.done = std::move(done), .work = asio::make_work_guard(io_)});
    handler.Call(server_, message, {.timeout = Millis(limit)},
                 // On any thread, and after we have gone.
                 [gate = gate_, asked = std::weak_ptr<Questions>(asked_),
                  number](absl::StatusOr<Outcome> outcome) {
                   if (!outcome.ok()) {
                     outcome = NotReached(outcome.status());
                   } else if (outcome->code != 0) {
                     outcome = StatusOf(*outcome);
                   }
                   gate->PostTo(
                       asked, [number, outcome = std::move(outcome)](Questions& questions) mutable {
                         // Taken out before: it may be what ends us.
                         questions.extract(number).mapped().done(std::move(outcome));
                       });
                 });
  }

  const Connection server_;
  asio::io_context& io_;
  const std::shared_ptr<IoGate> gate_;
  uint64_t last_ = 0;
  // Only we hold what waits, so that it goes with us, on the directory's thread.
  const std::shared_ptr<Questions> asked_ = std::make_shared<Questions>();
  std::map<uint64_t, std::shared_ptr<ResolveReader>> resolving_;
};

}  // namespace

std::unique_ptr<DirectoryBackend> MakeHostedBackend(Connection server, asio::io_context& io) {
  return std::make_unique<HostedBackend>(std::move(server), io);
}

absl::StatusOr<HostedDirectory> MakeHostedDirectory(Manager& manager,
                                                    const std::vector<std::string>& hosts,
                                                    DirectoryOptions options,
                                                    RegistryLimits limits) {
  if (hosts.empty()) return absl::InvalidArgumentError("hosts: empty; the first one serves");
  if (options.member.empty()) options.member = manager.local();
  if (absl::Status status = options.Check(); !status.ok()) return status;
  HostedDirectory hosted;
  std::unique_ptr<DirectoryBackend> backend;
  if (hosts.front() == manager.local()) {
    auto server = DirectoryServer::Serve(manager, {.io = options.io,
                                                   .lease = options.lease,
                                                   .members = hosts,
                                                   .limits = limits,
                                                   .clock = options.clock});
    if (!server.ok()) return server.status();
    hosted.server = *std::move(server);
    backend = hosted.server->Backend(*options.io, options.member);
  } else {
    backend = MakeHostedBackend(manager.Connection(hosts.front()), *options.io);
  }
  auto directory = MakeDirectory(std::move(options), std::move(backend));
  if (!directory.ok()) return directory.status();
  hosted.directory = *std::move(directory);
  return hosted;
}

}  // namespace grid
