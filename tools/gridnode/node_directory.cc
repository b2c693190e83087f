#include "tools/gridnode/node_directory.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "grid/directory/directory_client.h"
#include "grid/directory/etcd_directory.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kPause{1};  // before a name is asked for again
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);

}  // namespace

absl::StatusOr<WantedName> ParseWantedName(std::string_view text) {
  const auto wrong = [text](const absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("--register ", std::string(text), ": ", why));
  };
  absl::string_view rest(text.data(), text.size());
  const bool shared = absl::ConsumePrefix(&rest, "shared:");
  const std::pair<std::string, std::string> parts = absl::StrSplit(rest, absl::MaxSplits('=', 1));
  absl::StatusOr<Name> name = Name::Parse(parts.first);
  if (!name.ok()) return wrong(name.status().message());
  WantedName wanted{.name = *std::move(name),
                    .holding = shared ? Holding::kShared : Holding::kExclusive};
  if (rest.size() > parts.first.size()) {
    for (const absl::string_view attribute : absl::StrSplit(parts.second, ',')) {
      const size_t colon = attribute.find(':');
      if (colon == absl::string_view::npos) return wrong("attributes are KEY:VALUE,...");
      wanted.attributes.insert_or_assign(std::string(attribute.substr(0, colon)),
                                         std::string(attribute.substr(colon + 1)));
    }
  }
  const absl::Status attributes = CheckAttributes(wanted.attributes);
  if (!attributes.ok()) return wrong(attributes.message());
  return wanted;
}

absl::StatusOr<std::unique_ptr<NodeDirectory>> NodeDirectory::Make(
    Manager& manager, IoThread& thread, const DirectoryFlags& flags,
    const std::vector<std::string>& registered, std::shared_ptr<LogSink> log) {
  std::vector<WantedName> wanted;
  for (const std::string& text : registered) {
    absl::StatusOr<WantedName> one = ParseWantedName(text);
    if (!one.ok()) return one.status();
    wanted.push_back(*std::move(one));
  }
  std::unique_ptr<NodeDirectory> made(new NodeDirectory(thread, std::move(log)));
  if (absl::Status status = made->Open(manager, flags); !status.ok()) return status;
  if (made->directory() == nullptr && !wanted.empty()) {
    return absl::InvalidArgumentError("--register: not with --directory none");
  }
  for (WantedName& one : wanted) {
    asio::co_spawn(made->thread_.io(), made->Hold(std::move(one)), asio::detached);
  }
  return made;
}

absl::Status NodeDirectory::Open(Manager& manager, const DirectoryFlags& flags) {
  absl::StatusOr<DirectoryChoice> choice = ChooseDirectory(flags);
  if (!choice.ok()) return choice.status();
  DirectoryOptions options;
  options.io = &thread_.io();
  options.member = manager.local();
  options.log = log_;
  switch (choice->kind) {
    case DirectoryChoice::Kind::kNone:
      return absl::OkStatus();
    case DirectoryChoice::Kind::kLocal: {
      // Served all the same, so that gridctl finds what is here.
      auto server = DirectoryServer::Serve(
          manager, {.io = options.io, .members = {options.member}, .one_member = true});
      if (!server.ok()) return server.status();
      hosted_.server = *std::move(server);
      auto backend = hosted_.server->Backend(*options.io, options.member);
      auto local = MakeDirectory(std::move(options), std::move(backend));
      if (!local.ok()) return local.status();
      hosted_.directory = *std::move(local);
      return absl::OkStatus();
    }
    case DirectoryChoice::Kind::kEtcd: {
      auto etcd = MakeEtcdDirectory(std::move(choice->etcd), std::move(options));
      if (!etcd.ok()) return etcd.status();
      hosted_.directory = *std::move(etcd);
      return absl::OkStatus();
    }
    case DirectoryChoice::Kind::kHosted: {
      std::vector<std::string> members = manager.Peers();
      members.push_back(manager.local());
      const auto hosts = DirectoryHosts(std::move(members), choice->host);
      if (!hosts.ok()) return hosts.status();
      auto hosted = MakeHostedDirectory(manager, *hosts, std::move(options));
      if (!hosted.ok()) return hosted.status();
      hosted_.server = std::move(hosted->server);
      hosted_.directory = std::move(hosted->directory);
      return absl::OkStatus();
    }
  }
  return absl::InternalError("no such kind of directory");
}

NodeDirectory::~NodeDirectory() {
  Stop();
  // What waits to ask for a name again uses the directory.
  thread_.Stop();
  hosted_.directory.reset();
  hosted_.server.reset();
}

void NodeDirectory::Stop() {
  // A second time it completes at once, as stopped.
  if (directory() != nullptr) (void)directory()->Stop(asio::use_future).get();
}

std::optional<DirectoryStats> NodeDirectory::Stats() const {
  if (directory() == nullptr) return std::nullopt;
  return directory()->Stats();
}

std::optional<RegistryStats> NodeDirectory::TableStats() const {
  if (hosted_.server == nullptr) return std::nullopt;
  return hosted_.server->Stats();
}

asio::awaitable<void> NodeDirectory::Hold(WantedName wanted) {
  const std::string& name = wanted.name.text();
  // Shared with what the token keeps.
  const auto timer = std::make_shared<asio::steady_timer>(thread_.io());
  std::string told;
  for (;;) {
    absl::StatusOr<Registration> held =
        co_await directory()->Register(wanted.name, wanted.holding, wanted.attributes);
    if (absl::IsCancelled(held.status())) co_return;  // stopped
    if (held.ok()) {
      log_->Log(LogLevel::kInfo, absl::StrCat("holds ", name, ", epoch ", held->epoch()));
      told.clear();
      timer->expires_at(asio::steady_timer::time_point::max());
      // Its end may have come before the wait begins.
      held->token().OnLost([timer] { timer->expires_at(asio::steady_timer::time_point::min()); });
      co_await timer->async_wait(kTuple);
      const absl::Status why = held->token().why();
      if (absl::IsCancelled(why)) co_return;
      log_->Log(LogLevel::kWarning, absl::StrCat("lost ", name, ": ", why.message()));
      continue;
    }
    const std::string why(held.status().message());
    if (std::exchange(told, why) != why) {
      log_->Log(LogLevel::kWarning, absl::StrCat("waits for ", name, ": ", why));
    }
    timer->expires_after(kPause);
    co_await timer->async_wait(kTuple);
  }
}

}  // namespace grid::tools
