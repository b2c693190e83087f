#include "grid/directory/directory_server.h"

#include <boost/asio/post.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grid/directory/hosted_protocol.h"
#include "grid/directory/local_backend.h"
#include "grid/directory/registry_host.h"
#include "grid/directory/registry_timer.h"
#include "grid/directory/served_watches.h"

namespace grid {
namespace {

using internal::EntryMessage;
using internal::Outcome;
using internal::RegistryHost;
using internal::ToMessage;

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
  auto host = std::make_shared<RegistryHost>(
      options.clock,
      RegistryOptions{
          .lease = options.lease,
          .limits = options.limits,
          // In microseconds: faster than any table gives epochs away, so an earlier server's are
          // smaller. Were the clock set back, the members know what they have seen.
          .last_epoch = static_cast<uint64_t>(wall.count()),
          .grace_end = options.clock->Now() + options.lease,
          .expected = std::move(options.members)});
  std::unique_ptr<DirectoryServer> server(
      new DirectoryServer(*options.io, *options.clock, std::move(host)));
  absl::Status status = ServeTable({registrar, server->host_, options.one_member});
  status.Update(server->watches_->Serve(registrar));
  if (!status.ok()) return status;
  server->timer_->Start();
  return server;
}

DirectoryServer::DirectoryServer(asio::io_context& io, Clock& clock,
                                 std::shared_ptr<RegistryHost> host)
    : io_(io),
      host_(std::move(host)),
      watches_(std::make_shared<internal::ServedWatches>(io, host_)),
      timer_(std::make_shared<internal::RegistryTimer>(io, clock, host_)) {}

DirectoryServer::~DirectoryServer() {
  watches_->Close();
  asio::post(io_, [timer = std::move(timer_)] {});
}

std::unique_ptr<DirectoryBackend> DirectoryServer::Backend(asio::io_context& io,
                                                           std::string member) {
  return std::make_unique<internal::LocalBackend>(host_, io, std::move(member),
                                                  std::make_shared<internal::Reach>());
}

RegistryStats DirectoryServer::Stats() const { return host_->Stats(); }

}  // namespace grid
