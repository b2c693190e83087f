#include "grid/directory/local_backend.h"

namespace grid::internal {
namespace {

absl::Status Unreachable() { return absl::UnavailableError("the directory can't be reached"); }

class LocalSubscription final : public Subscription,
                                public std::enable_shared_from_this<LocalSubscription> {
 public:
  LocalSubscription(std::shared_ptr<IoGate> gate, SubscriptionSink* sink, std::string member,
                    std::shared_ptr<const Reach> reach)
      : gate_(std::move(gate)), sink_(sink), member_(std::move(member)), reach_(std::move(reach)) {}

  void Start(RegistryHost& host, const Selector& selector) {
    absl::StatusOr<std::unique_ptr<RegistryHost::Watch>> watch = Unreachable();
    if (reach_->Reachable(member_)) {
      // On the thread of whoever changes the table.
      watch = host.StartWatch(selector, [gate = gate_, weak = weak_from_this()] {
        gate->PostTo(weak, [](LocalSubscription& self) { self.Drain(); });
      });
    }
    if (watch.ok()) {
      watch_ = *std::move(watch);
      gate_->PostTo(weak_from_this(), [](LocalSubscription& self) { self.Drain(); });
      return;
    }
    gate_->PostTo(weak_from_this(),
                  [why = watch.status()](LocalSubscription& self) { self.End(why); });
  }
  void Stop() {
    sink_ = nullptr;
    watch_.reset();
  }

 private:
  void Drain() {
    while (sink_ != nullptr && watch_ != nullptr) {
      if (!reach_->Reachable(member_)) return End(Unreachable());
      std::optional<WatchEvent> event = watch_->Take();
      if (!event.has_value()) return;
      switch (event->kind) {
        case WatchEvent::Kind::kSnapshot:
        case WatchEvent::Kind::kResynchronised:
          sink_->OnAll(std::move(event->entries));
          break;
        case WatchEvent::Kind::kAdded:
        case WatchEvent::Kind::kChanged:
          sink_->OnPut(std::move(event->entries[0]));
          break;
        case WatchEvent::Kind::kRemoved:
          sink_->OnRemove(event->entries[0].name, event->entries[0].epoch);
          break;
      }
    }
  }

  void End(const absl::Status& why) {
    watch_.reset();
    if (sink_ != nullptr) std::exchange(sink_, nullptr)->OnEnd(why);
  }

  const std::shared_ptr<IoGate> gate_;
  SubscriptionSink* sink_;  // null once stopped or ended
  const std::string member_;
  const std::shared_ptr<const Reach> reach_;
  std::unique_ptr<RegistryHost::Watch> watch_;
};

// What the client holds: the subscription itself lives as long as what it posted.
class SubscriptionHandle final : public Subscription {
 public:
  explicit SubscriptionHandle(std::shared_ptr<LocalSubscription> subscription)
      : subscription_(std::move(subscription)) {}
  ~SubscriptionHandle() override { subscription_->Stop(); }

 private:
  const std::shared_ptr<LocalSubscription> subscription_;
};

}  // namespace

template <typename Ask, typename DoneFor>
void LocalBackend::Answer(Ask ask, DoneFor done) {
  auto answer = reach_->Reachable(member_) ? ask(*host_) : decltype(ask(*host_))(Unreachable());
  gate_->Post([gate = gate_, done = std::move(done), answer = std::move(answer)]() mutable {
    // Closed by our destructor at the latest, which is on this thread: while it is open, who asked
    // is there.
    if (!gate->closed()) done(std::move(answer));
  });
}

void LocalBackend::Renew(LeaseCall call, Duration /*limit*/, Done<LeaseGrant> done) {
  Answer([&](RegistryHost& host) { return host.Renew(call); }, std::move(done));
}

void LocalBackend::Register(RegisterCall call, Duration /*limit*/, Done<Entry> done) {
  Answer([&](RegistryHost& host) { return host.Register(call); }, std::move(done));
}

void LocalBackend::Update(UpdateCall call, Duration /*limit*/, StatusDone done) {
  Answer([&](RegistryHost& host) { return host.Update(call); }, std::move(done));
}

void LocalBackend::Deregister(DeregisterCall call, Duration /*limit*/, StatusDone done) {
  Answer([&](RegistryHost& host) { return host.Deregister(call); }, std::move(done));
}

void LocalBackend::End(LeaseCall call, Duration /*limit*/, StatusDone done) {
  Answer(
      [&](RegistryHost& host) {
        host.End(call);
        return absl::OkStatus();
      },
      std::move(done));
}

void LocalBackend::Flush(Duration /*limit*/, Done<uint64_t> done) {
  Answer([&](RegistryHost& host) { return absl::StatusOr<uint64_t>(host.Flush()); },
         std::move(done));
}

void LocalBackend::Resolve(Selector selector, Duration /*limit*/, Done<std::vector<Entry>> done) {
  Answer(
      [&](RegistryHost& host) {
        return absl::StatusOr<std::vector<Entry>>(host.Resolve(selector));
      },
      std::move(done));
}

std::unique_ptr<Subscription> LocalBackend::Subscribe(const Selector& selector,
                                                      SubscriptionSink& sink) {
  auto subscription = std::make_shared<LocalSubscription>(gate_, &sink, member_, reach_);
  subscription->Start(*host_, selector);
  return std::make_unique<SubscriptionHandle>(std::move(subscription));
}

}  // namespace grid::internal
