#include "tools/gridctl/directory_client.h"

#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grid/directory/directory_client.h"
#include "grid/directory/etcd_directory.h"
#include "grid/directory/hosted_directory.h"

namespace grid::tools {
namespace {

constexpr std::chrono::seconds kDefaultTimeout{10};

}  // namespace

void AddDirectoryClientFlags(CLI::App& command, DirectoryClientFlags* flags) {
  AddClientFlags(command, &flags->client);
  command.get_option("--remote")->required(false);
  AddDirectoryFlags(command,
                    "etcd://HOST:PORT[,HOST:PORT]..., or etcds:// for TLS: ask etcd, and no node",
                    &flags->directory);
}

absl::StatusOr<Selector> SelectorOf(const std::string& path) {
  if (path.empty()) return Selector::Under(Path::Root());
  absl::StatusOr<Path> parsed = Path::Parse(path);
  if (!parsed.ok()) return parsed.status();
  return Selector::Under(*std::move(parsed));
}

absl::StatusOr<std::unique_ptr<DirectoryClient>> DirectoryClient::Connect(
    const DirectoryClientFlags& flags) {
  auto made = Make(flags, DirectoryUse::kNames);
  if (!made.ok()) return made.status();
  if (absl::Status status = (*made)->Start(); !status.ok()) return status;
  return made;
}

absl::StatusOr<std::unique_ptr<DirectoryClient>> DirectoryClient::Make(
    const DirectoryClientFlags& flags, DirectoryUse use) {
  std::unique_ptr<DirectoryClient> made(new DirectoryClient);
  made->timeout_ = DurationOr(flags.client.timeout_text, kDefaultTimeout);
  if (absl::Status status = made->Open(flags, use); !status.ok()) return status;
  return made;
}

absl::Status DirectoryClient::Open(const DirectoryClientFlags& flags, DirectoryUse use) {
  const bool mesh = use != DirectoryUse::kNames;
  etcd_ = IsEtcd(flags.directory);
  if (!etcd_ && !flags.directory.directory.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--directory ", flags.directory.directory,
                     ": not etcd://HOST:PORT,... or etcds://HOST:PORT,...; a node that serves names"
                     " is the --remote"));
  }
  if (etcd_ != flags.client.remote.empty()) {
    return absl::InvalidArgumentError(
        "say where names are: --remote with the node that serves them, or --directory with etcd");
  }
  // What it holds would take the place of what the member of that name holds.
  if (use == DirectoryUse::kPatrol && !flags.client.member &&
      absl::StrContains(flags.client.node.local, "://")) {
    return absl::InvalidArgumentError("--local: a URL is the name of a member, with --member");
  }
  absl::StatusOr<DirectoryChoice> choice = ChooseDirectory(flags.directory);
  if (!choice.ok()) return choice.status();
  where_ = etcd_ ? "etcd" : flags.client.remote;
  DirectoryOptions options;
  options.io = &thread_.io();
  options.client = use != DirectoryUse::kPatrol;
  options.member = "gridctl";
  options.log = flags.client.verbose ? SpdlogLog("gridctl", LogLevel::kDebug) : NullLog();
  if (!etcd_ || mesh) {
    auto client = Client::Make(flags.client, mesh);
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    options.member = client_->manager().local();
  }
  auto directory =
      etcd_ ? MakeEtcdDirectory(std::move(choice->etcd), std::move(options))
            : MakeDirectory(std::move(options), MakeHostedBackend(client_->peer(), thread_.io()));
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  return absl::OkStatus();
}

absl::Status DirectoryClient::Start() {
  if (client_ != nullptr) {
    if (absl::Status status = client_->Start(timeout_); !status.ok()) return status;
  }
  const absl::Status ready = directory_->WaitReady(timeout_, boost::asio::use_future).get();
  return ready.ok() ? ready : Explain(ready);
}

DirectoryClient::~DirectoryClient() { StopThread(); }

void DirectoryClient::StopThread() {
  if (std::exchange(stopped_, true)) return;
  if (directory_ != nullptr) (void)directory_->Stop(boost::asio::use_future).get();
  thread_.Stop();
}

absl::Status DirectoryClient::Explain(const absl::Status& status) const {
  const char* hint = "";
  switch (status.code()) {
    case absl::StatusCode::kUnimplemented:
      hint =
          "; --remote must be the node that does: of all members the first by name, unless their"
          " --directory says otherwise";
      break;
    case absl::StatusCode::kUnauthenticated:
      hint = "; look at --etcd-user, --etcd-password-file and --etcd-ca";
      break;
    case absl::StatusCode::kPermissionDenied:
      hint = etcd_ ? "; the user of etcd needs the right to read and write its prefix"
                   : "; connect as a member: --member, and --local with a name that"
                     " the node has as a --peer and that is not in use";
      break;
    case absl::StatusCode::kDeadlineExceeded:
      hint = etcd_ ? "; look whether etcd runs at the --directory, or give it more"
                     " --timeout"
                   : "; give it more --timeout";
      break;
    default:
      break;
  }
  // A code of its own: nothing of this is about our arguments.
  return absl::Status(absl::IsInvalidArgument(status) ? absl::StatusCode::kUnknown : status.code(),
                      absl::StrCat(where_, ": ", status.message(), hint));
}

}  // namespace grid::tools
