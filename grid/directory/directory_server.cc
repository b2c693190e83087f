#include "grid/directory/directory_server.h"

#include <boost/asio/post.hpp>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grid/directory/hosted_protocol.h"
#include "grid/directory/local_backend.h"
#include "grid/directory/registry_host.h"

namespace grid {
namespace {

using internal::EntryMessage;
using internal::Outcome;
using internal::RegistryHost;
using internal::ToMessage;
using internal::WatchEventMessage;
using internal::WatchMessage;
using WatchStream = decltype(internal::kDirectoryWatch)::HandlerStream;

// Sends the events of one watch, one message at a time: what the reader has no room for waits in
// the table's WatchView, which is bounded. On the thread of `io`.
class WatchServer final : public std::enable_shared_from_this<WatchServer> {
 public:
  WatchServer(asio::io_context& io, WatchStream stream, bool follow)
      : io_(io), stream_(std::move(stream)), follow_(follow) {}

  void Start(RegistryHost& host, const Selector& selector) {
    auto watch = host.StartWatch(selector, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->PostPump();
    });
    if (!watch.ok()) return stream_.Finish(watch.status());
    watch_ = *std::move(watch);
    Pump();
  }
  // The caller has gone.
  void PostStop() {
    asio::post(io_, [self = shared_from_this()] { self->Stop(); });
  }

 private:
  void PostPump() {
    asio::post(io_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Pump();
    });
  }

  void Pump() {
    if (writing_ || watch_ == nullptr) return;
    if (!event_.has_value()) {
      event_ = watch_->Take();
      sent_ = 0;
    }
    if (!event_.has_value()) return;
    const WatchEventMessage message = NextMessage();
    const bool last = !event_.has_value() && !follow_;
    writing_ = true;
    stream_.Write(message, [self = shared_from_this(), last](const absl::Status& written) {
      asio::post(self->io_, [self, last, written] { self->OnWritten(written, last); });
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
    const size_t end = std::min(event_->entries.size(), sent_ + internal::kEntriesPerMessage);
    for (; sent_ < end; ++sent_) message.entries.push_back(ToMessage(event_->entries[sent_]));
    message.more = sent_ < event_->entries.size();
    if (!message.more) event_.reset();
    return message;
  }

  void OnWritten(const absl::Status& written, bool last) {
    writing_ = false;
    if (written.ok() && !last) return Pump();
    if (watch_ == nullptr) return;
    Stop();
  }

  void Stop() {
    if (watch_ == nullptr) return;
    watch_.reset();
    event_.reset();
    stream_.Finish(absl::OkStatus());
  }

  asio::io_context& io_;
  WatchStream stream_;
  const bool follow_;
  std::unique_ptr<RegistryHost::Watch> watch_;  // null: over
  std::optional<WatchEvent> event_;             // of which sent_ entries have been sent
  size_t sent_ = 0;
  bool writing_ = false;
};

absl::Status Gone() { return absl::UnavailableError("the directory is served no longer"); }

// A client of the mesh may call itself what its token allows, also as a member is called: what that
// member holds is not to be touched.
absl::Status CheckSession(const Caller& caller, bool one_member) {
  if (one_member && !caller.is_client) {
    return absl::PermissionDeniedError("the directory there is for that member's names alone");
  }
  if (!caller.is_client || !absl::StrContains(caller.host, "://")) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("a client that is called as members are, ", caller.host, ", holds no names"));
}

// Nobody is led to a client: it says that it patrols, and no more.
absl::Status CheckHolder(const Caller& caller, const Name& name) {
  if (!caller.is_client || Path::Parse(kPatrolsPath)->Contains(name)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("a client holds no names but those of patrols, ", kPatrolsPath, "/..."));
}

// Serves single requests about the table.
struct TableServer {
  Registrar& registrar;
  const std::shared_ptr<RegistryHost>& host;
  const bool one_member;

  // `answer`: absl::StatusOr<Outcome>(RegistryHost&, const Message&, const Caller&); its error is
  // the outcome.
  template <typename Message, typename Answer>
  absl::Status Serve(const SingleHandler<Message, Outcome>& handler, Answer answer) const {
    return handler.Register(
        registrar,
        [weak = std::weak_ptr<RegistryHost>(host), one = one_member, answer](
            const Message& message, RequestContext& context) -> absl::StatusOr<Outcome> {
          const auto table = weak.lock();
          if (table == nullptr) return Gone();
          if (absl::Status status = CheckSession(context.caller(), one); !status.ok()) {
            return internal::ToOutcome(status);
          }
          absl::StatusOr<Outcome> outcome = answer(*table, message, context.caller());
          if (!outcome.ok()) return internal::ToOutcome(outcome.status());
          return outcome;
        },
        // A lock and a few look-ups.
        {.run_on = RunOn::kIoThread});
  }
};

absl::StatusOr<Outcome> ServeRegister(RegistryHost& host, const internal::RegisterMessage& message,
                                      const Caller& caller) {
  absl::StatusOr<Name> name = Name::Parse(message.name);
  if (!name.ok()) return name.status();
  if (absl::Status refused = CheckHolder(caller, *name); !refused.ok()) return refused;
  absl::StatusOr<Entry> entry =
      host.Register({.member = caller.host,
                     .incarnation = message.incarnation,
                     .request = message.request,
                     .name = *std::move(name),
                     .holding = message.shared ? Holding::kShared : Holding::kExclusive,
                     .attributes = message.attributes,
                     .claim = message.claim});
  Outcome outcome;
  if (entry.ok()) {
    outcome.entry = ToMessage(*entry);
  } else {
    outcome = internal::ToOutcome(entry.status());
    if (const auto holder = HolderOf(entry.status())) {
      outcome.holder.push_back(EntryMessage{.name = message.name,
                                            .shared = holder->holding == Holding::kShared,
                                            .epoch = holder->epoch,
                                            .member = holder->member,
                                            .incarnation = holder->incarnation});
    }
  }
  return outcome;
}

absl::Status ServeTable(const TableServer& server) {
  absl::Status status = server.Serve(internal::kDirectoryRenew,
                                     [](RegistryHost& table, const internal::LeaseMessage& message,
                                        const Caller& caller) -> absl::StatusOr<Outcome> {
                                       const absl::StatusOr<LeaseGrant> grant =
                                           table.Renew({.member = caller.host,
                                                        .incarnation = message.incarnation,
                                                        .seen_epoch = message.seen_epoch,
                                                        .holds = message.holds});
                                       if (!grant.ok()) return grant.status();
                                       return Outcome{.fresh = grant->fresh};
                                     });
  status.Update(server.Serve(internal::kDirectoryRegister, ServeRegister));
  status.Update(server.Serve(internal::kDirectoryUpdate,
                             [](RegistryHost& table, const internal::UpdateMessage& message,
                                const Caller& caller) -> absl::StatusOr<Outcome> {
                               absl::StatusOr<Name> name = Name::Parse(message.name);
                               if (!name.ok()) return name.status();
                               return internal::ToOutcome(
                                   table.Update({.member = caller.host,
                                                 .incarnation = message.incarnation,
                                                 .name = *std::move(name),
                                                 .epoch = message.epoch,
                                                 .attributes = message.attributes}));
                             }));
  status.Update(server.Serve(internal::kDirectoryDeregister,
                             [](RegistryHost& table, const internal::DeregisterMessage& message,
                                const Caller& caller) -> absl::StatusOr<Outcome> {
                               absl::StatusOr<Name> name = Name::Parse(message.name);
                               if (!name.ok()) return name.status();
                               return internal::ToOutcome(
                                   table.Deregister({.member = caller.host,
                                                     .incarnation = message.incarnation,
                                                     .name = *std::move(name),
                                                     .epoch = message.epoch,
                                                     .request = message.request}));
                             }));
  status.Update(server.Serve(internal::kDirectoryEnd,
                             [](RegistryHost& table, const internal::LeaseMessage& message,
                                const Caller& caller) -> absl::StatusOr<Outcome> {
                               table.End(
                                   {.member = caller.host, .incarnation = message.incarnation});
                               return Outcome();
                             }));
  status.Update(server.Serve(
      internal::kDirectoryFlush,
      [](RegistryHost& table, const NoPayload&, const Caller& caller) -> absl::StatusOr<Outcome> {
        if (caller.is_client) return absl::PermissionDeniedError("a client flushes no names");
        return Outcome{.count = table.Flush()};
      }));
  return status;
}

absl::Status ServeWatches(Registrar& registrar, asio::io_context& io,
                          const std::shared_ptr<RegistryHost>& host) {
  return internal::kDirectoryWatch.Register(
      registrar, [&io, weak = std::weak_ptr<RegistryHost>(host)](
                     const WatchMessage& message, WatchStream stream, RequestContext& context) {
        const auto table = weak.lock();
        if (table == nullptr) return stream.Finish(Gone());
        absl::StatusOr<Selector> selector = Selector::Parse(message.selector);
        if (!selector.ok()) return stream.Finish(selector.status());
        auto server = std::make_shared<WatchServer>(io, std::move(stream), message.follow);
        context.OnCancel([server] { server->PostStop(); });
        context.OnDrain([server] { server->PostStop(); });
        asio::post(io, [server, table, selector = *std::move(selector)] {
          server->Start(*table, selector);
        });
      });
}

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryServer>> DirectoryServer::Serve(
    Registrar& registrar, DirectoryServerOptions options) {
  if (options.io == nullptr) {
    return absl::InvalidArgumentError("DirectoryServerOptions::io must be set");
  }
  if (options.lease < std::chrono::seconds(1) || options.lease > std::chrono::hours(24)) {
    return absl::InvalidArgumentError("DirectoryServerOptions::lease must be 1 s to a day");
  }
  if (options.clock == nullptr) options.clock = RealClock();
  const auto wall = std::chrono::duration_cast<std::chrono::microseconds>(
      options.clock->WallNow().time_since_epoch());
  auto host = std::make_shared<internal::RegistryHost>(
      *options.io, options.clock,
      RegistryOptions{
          .lease = options.lease,
          .limits = options.limits,
          // In microseconds: faster than any table gives epochs away, so an earlier server's are
          // smaller. Were the clock set back, the members know what they have seen.
          .last_epoch = static_cast<uint64_t>(wall.count()),
          .grace_end = options.clock->Now() + options.lease,
          .expected = std::move(options.members)});
  absl::Status status = ServeTable({registrar, host, options.one_member});
  status.Update(ServeWatches(registrar, *options.io, host));
  if (!status.ok()) return status;
  host->Start();
  return std::unique_ptr<DirectoryServer>(new DirectoryServer(std::move(host)));
}

DirectoryServer::DirectoryServer(std::shared_ptr<internal::RegistryHost> host)
    : host_(std::move(host)) {}

DirectoryServer::~DirectoryServer() = default;

std::unique_ptr<DirectoryBackend> DirectoryServer::Backend(asio::io_context& io,
                                                           std::string member) {
  return std::make_unique<internal::LocalBackend>(host_, io, std::move(member),
                                                  std::make_shared<internal::Reach>());
}

RegistryStats DirectoryServer::Stats() const { return host_->Stats(); }

}  // namespace grid
