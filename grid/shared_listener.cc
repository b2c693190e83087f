#include "grid/shared_listener.h"

#include <mutex>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/runtime/io_loop.h"
#include "grid/transport/adopter.h"
#include "grid/transport/beast_network.h"

namespace grid {

using internal::AcceptPlace;
using internal::ManagerCore;

class SharedListener::Core final : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(SharedListenerOptions options) : options_(std::move(options)), loops_(1) {
    if (options_.clock == nullptr) options_.clock = RealClock();
    if (options_.log == nullptr) options_.log = DefaultLog();
  }

  absl::Status AddRoute(const std::shared_ptr<ManagerCore>& manager) {
    const ManagerOptions& options = manager->options();
    if ((options.local.rfind("https://", 0) == 0) != tls()) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.local, tls() ? ": the listener speaks TLS, the name says http"
                                            : ": the listener has no certificate for TLS"));
    }
    if (options.route.empty() || options.route[0] != '/') {
      return absl::InvalidArgumentError("ManagerOptions::route must be a path that begins with /");
    }
    const std::lock_guard lock(mutex_);
    std::weak_ptr<ManagerCore>& holder = routes_[options.route];
    const std::shared_ptr<ManagerCore> other = holder.lock();
    if (other != nullptr && other != manager) {
      return absl::AlreadyExistsError(
          absl::StrCat("route ", options.route, " belongs to ", other->options().local));
    }
    holder = manager;
    return absl::OkStatus();
  }

  absl::Status RemoveRoute(const std::shared_ptr<ManagerCore>& manager) {
    const std::lock_guard lock(mutex_);
    const auto it = routes_.find(manager->options().route);
    if (it == routes_.end() || it->second.lock() != manager) {
      return absl::NotFoundError(
          absl::StrCat("route ", manager->options().route, " is not this manager's"));
    }
    routes_.erase(it);
    return absl::OkStatus();
  }

  absl::StatusOr<uint16_t> Start(const std::string& address) {
    TlsOptions tls_options;
    tls_options.certificate_file = options_.tls.certificate_file;
    tls_options.key_file = options_.tls.key_file;
    tls_options.ca_file = options_.tls.ca_file;
    tls_options.require_client_certificate = options_.tls.require_client_certificate;
    auto network = MakeBeastNetwork(tls_options, TransportLimits(), SocketOptions(), options_.clock,
                                    options_.log);
    if (!network.ok()) return network.status();

    ListenRequest request;
    request.address = address;
    request.tls = tls();
    request.ios = loops_.contexts();
    request.gate = std::make_shared<HandshakeGate>(options_.max_pre_handshake);
    request.handshake_timeout = options_.handshake;
    request.pick = [weak = weak_from_this()](std::string_view path) {
      const auto self = weak.lock();
      return self == nullptr ? absl::NotFoundError("stopped") : self->Pick(path);
    };
    request.on_refuse = [weak = weak_from_this()](HttpRefusal refusal, std::string_view detail) {
      if (const auto self = weak.lock()) self->OnRefuse(refusal, detail);
    };

    const std::lock_guard lock(life_mutex_);
    if (phase_ != Phase::kNew) {
      return absl::FailedPreconditionError(phase_ == Phase::kRunning
                                               ? "the listener has been started already"
                                               : "the listener has been stopped");
    }
    auto listener = (*network)->Listen(std::move(request));
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    phase_ = Phase::kRunning;
    loops_.Start();
    return listener_->port();
  }

  void Stop() {
    const std::lock_guard lock(life_mutex_);
    phase_ = Phase::kStopped;
    listener_.reset();
    loops_.Stop();
  }

  std::map<std::string, uint64_t> Refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  enum class Phase { kNew, kRunning, kStopped };

  bool tls() const { return !options_.tls.certificate_file.empty(); }

  absl::StatusOr<TakeConnection> Pick(std::string_view path) {
    std::shared_ptr<ManagerCore> manager;
    {
      const std::lock_guard lock(mutex_);
      const auto it = routes_.find(std::string(path));
      if (it != routes_.end()) manager = it->second.lock();
    }
    if (manager == nullptr) return absl::NotFoundError("no manager has this route");
    absl::StatusOr<AcceptPlace> reserved = manager->ReserveAccept();
    if (!reserved.ok()) return reserved.status();
    auto place = std::make_shared<AcceptPlace>(*std::move(reserved));
    return [place](std::shared_ptr<internal::AdoptedConnection> connection) {
      place->adopter->Adopt(*place->io, std::move(connection), std::move(place->admission),
                            std::move(place->activity));
    };
  }

  void OnRefuse(HttpRefusal refusal, std::string_view detail) {
    {
      const std::lock_guard lock(mutex_);
      ++refused_[std::string(internal::RefusalName(refusal))];
    }
    options_.log->Log(LogLevel::kDebug,
                      absl::StrCat("refused an incoming connection: ", std::string(detail)));
  }

  SharedListenerOptions options_;

  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<ManagerCore>> routes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> refused_ ABSL_GUARDED_BY(mutex_);

  std::mutex life_mutex_;  // of Start and Stop, which waits with it
  Phase phase_ ABSL_GUARDED_BY(life_mutex_) = Phase::kNew;
  IoLoops loops_;
  std::unique_ptr<Listener> listener_ ABSL_GUARDED_BY(life_mutex_);
};

SharedListener::SharedListener(SharedListenerOptions options)
    : core_(std::make_shared<Core>(std::move(options))) {}

SharedListener::~SharedListener() { Stop(); }

absl::Status SharedListener::AddRoute(Manager& manager) {
  return core_->AddRoute(internal::CoreAccess::Of(manager));
}
absl::Status SharedListener::RemoveRoute(Manager& manager) {
  return core_->RemoveRoute(internal::CoreAccess::Of(manager));
}
absl::StatusOr<uint16_t> SharedListener::Start(const std::string& address) {
  return core_->Start(address);
}
void SharedListener::Stop() { core_->Stop(); }
std::map<std::string, uint64_t> SharedListener::Refused() const { return core_->Refused(); }

}  // namespace grid
