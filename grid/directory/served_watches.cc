#include "grid/directory/served_watches.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "grid/directory/hosted_protocol.h"

namespace grid::internal {

using WatchStream = decltype(kDirectoryWatch)::HandlerStream;

// Sends the events of one watch, one message at a time: what the reader has no room for waits in
// the table's WatchView, which is bounded. What it waits for does not keep it; `open_` does.
class ServedWatches::Watch final : public std::enable_shared_from_this<Watch> {
 public:
  Watch(std::shared_ptr<IoGate> gate, WatchStream stream, Selector selector, bool follow)
      : gate_(std::move(gate)),
        stream_(std::move(stream)),
        selector_(std::move(selector)),
        follow_(follow) {}

  void Start(ServedWatches& owner) {
    if (over_) return;
    owner_ = &owner;
    owner.open_.insert(shared_from_this());
    auto watch = owner.host_->StartWatch(selector_, [gate = gate_, weak = weak_from_this()] {
      gate->PostTo(weak, [](Watch& self) { self.Pump(); });
    });
    if (!watch.ok()) return End(watch.status());
    watch_ = *std::move(watch);
    Pump();
  }
  void End(const absl::Status& why) {
    if (std::exchange(over_, true)) return;
    watch_.reset();
    event_.reset();
    stream_.Finish(why);
    if (owner_ != nullptr) owner_->open_.erase(shared_from_this());
  }

 private:
  void Pump() {
    if (writing_ || over_) return;
    if (!event_.has_value()) {
      event_ = watch_->Take();
      sent_ = 0;
    }
    if (!event_.has_value()) return;
    const WatchEventMessage message = NextMessage();
    const bool last = !event_.has_value() && !follow_;
    writing_ = true;
    stream_.Write(message, [gate = gate_, weak = weak_from_this(), last](absl::Status written) {
      gate->PostTo(weak, [last, written = std::move(written)](Watch& self) {
        self.OnWritten(written, last);
      });
    });
  }

  // The next part of event_, which is taken away with its last one.
  WatchEventMessage NextMessage() {
    WatchEventMessage message;
    switch (event_->kind) {
      case WatchEvent::Kind::kSnapshot:
      case WatchEvent::Kind::kResynchronised:
        message.kind = WatchEventMessage::kAll;
        break;
      case WatchEvent::Kind::kAdded:
      case WatchEvent::Kind::kChanged:
        message.kind = WatchEventMessage::kPut;
        break;
      case WatchEvent::Kind::kRemoved:
        message.kind = WatchEventMessage::kRemove;
        break;
    }
    const size_t end = std::min(event_->entries.size(), sent_ + kEntriesPerMessage);
    for (; sent_ < end; ++sent_) message.entries.push_back(ToMessage(event_->entries[sent_]));
    message.more = sent_ < event_->entries.size();
    if (!message.more) event_.reset();
    return message;
  }

  void OnWritten(const absl::Status& written, bool last) {
    writing_ = false;
    written.ok() && !last ? Pump() : End(absl::OkStatus());
  }

  const std::shared_ptr<IoGate> gate_;
  WatchStream stream_;
  const Selector selector_;
  const bool follow_;
  ServedWatches* owner_ = nullptr;  // null: not started
  std::unique_ptr<RegistryHost::Watch> watch_;
  std::optional<WatchEvent> event_;  // of which sent_ entries have been sent
  size_t sent_ = 0;
  bool writing_ = false;
  bool over_ = false;
};

ServedWatches::ServedWatches(boost::asio::io_context& io, std::shared_ptr<RegistryHost> host)
    : gate_(std::make_shared<IoGate>(io)), host_(std::move(host)) {}

absl::Status ServedWatches::Serve(Registrar& registrar) {
  return kDirectoryWatch.Register(
      registrar, [gate = gate_, weak = weak_from_this()](
                     const WatchMessage& message, WatchStream stream, RequestContext& context) {
        absl::StatusOr<Selector> selector = Selector::Parse(message.selector);
        if (!selector.ok()) return stream.Finish(selector.status());
        const auto watch =
            std::make_shared<Watch>(gate, std::move(stream), *std::move(selector), message.follow);
        const auto stop = [gate, ending = std::weak_ptr<Watch>(watch)] {
          gate->PostTo(ending, [](Watch& self) { self.End(absl::OkStatus()); });
        };
        if (!gate->PostTo(weak, [watch](ServedWatches& self) { watch->Start(self); })) {
          return watch->End(absl::OkStatus());
        }
        // Afterwards: what stops it at once comes behind its start.
        context.OnCancel(stop);
        context.OnDrain(stop);
      });
}

void ServedWatches::Close() {
  gate_->Post([self = shared_from_this()] {
    const auto open = self->open_;
    for (const auto& watch : open) watch->End(absl::OkStatus());
  });
  gate_->Close();
}

}  // namespace grid::internal
