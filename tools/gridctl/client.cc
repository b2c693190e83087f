#include "tools/gridctl/client.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/use_future.hpp>

#include "absl/strings/str_cat.h"
#include "grid/base/log.h"
#include "grid/transport/url.h"

namespace grid::tools {

using std::chrono::milliseconds;

void AddClientFlags(CLI::App& command, ClientFlags* flags) {
  AddNodeFlags(command, &flags->node);
  command.add_flag("--member", flags->member,
                   "connect as the member --local, for nodes that take no clients (version 1)");
  command.add_option("--remote", flags->remote, "name of the node to talk to: http(s)://HOST:PORT")
      ->required();
  AddDurationOption(command, "--timeout", &flags->timeout_text,
                    "limit for connecting, and then for the call, as 500ms or 2s");
  command.add_flag("--verbose", flags->verbose, "show the node's log on standard error");
}

void AddHandlerFlags(CLI::App& command, HandlerFlags* flags) {
  command.add_option("HANDLER", flags->id, "id of the handler")
      ->required()
      ->check(CLI::Range(1, HandlerId::kMax));
  command.add_option("--subroute", flags->subroute, "subroute of the handler, parts joined with /");
  command.add_flag("--compress", flags->compress,
                   "compress what is sent; with the first --dictionary, if there is one");
  command.add_option("--traceparent", flags->traceparent,
                     "the trace that the call belongs to, as W3C writes it: 00-TRACE-PARENT-FLAGS");
  command
      .add_option("--metadata", flags->metadata,
                  "KEY=VALUE for the handler; may be given again and again")
      ->allow_extra_args(false);
}

absl::StatusOr<HandlerMeta> MakeHandlerMeta(const HandlerFlags& flags) {
  HandlerMeta meta;
  if (!flags.traceparent.empty()) {
    const absl::StatusOr<TraceContext> trace = TraceContext::Parse(flags.traceparent);
    if (!trace.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--", trace.status().message()));
    }
    meta.trace = *trace;
  }
  for (const std::string& entry : flags.metadata) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--metadata ", entry, ": not KEY=VALUE"));
    }
    const std::string_view text = entry;
    const absl::Status added = meta.metadata.Add(text.substr(0, equals), text.substr(equals + 1));
    if (!added.ok()) return absl::InvalidArgumentError(absl::StrCat("--", added.message()));
  }
  return meta;
}

namespace {

// No two of ours may have the same name at a time.
std::string DefaultName() {
  char host[128] = "";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat("gridctl@", host, ":", getpid());
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Make(
    const ClientFlags& flags, bool mesh, std::vector<boost::asio::io_context*> io_contexts) {
  NodeFlags node = flags.node;
  node.client = !flags.member;
  if (node.client && node.local.empty()) node.local = DefaultName();
  absl::StatusOr<ManagerOptions> options =
      MakeManagerOptions(node, flags.verbose ? SpdlogLog("gridctl", LogLevel::kDebug) : NullLog());
  if (!options.ok()) return absl::InvalidArgumentError(options.status().message());
  options->io_contexts = std::move(io_contexts);

  auto client = std::unique_ptr<Client>(new Client);
  client->compression_ = CompressionFor(*options);
  client->manager_ = std::make_unique<Manager>(*std::move(options));
  if (!flags.remote.empty() || !mesh) {
    absl::Status status = ParseHostUrl(flags.remote).status();
    if (status.ok()) status = client->manager_->AddPeer(flags.remote);
    if (!status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--remote: ", status.message()));
    }
    client->peer_ = client->manager_->Connection(flags.remote);
  }
  if (flags.member && (mesh || !ShouldDial(node.local, flags.remote))) {
    absl::StatusOr<std::string> address = ListenAddressOf(node.local);
    if (!address.ok()) return absl::InvalidArgumentError(address.status().message());
    client->listen_ = *std::move(address);
  }
  return client;
}

absl::Status Client::Start(milliseconds wait) {
  absl::Status status = manager_->Start();
  if (status.ok() && !listen_.empty()) status = manager_->Listen(listen_).status();
  if (!status.ok() || !peer_.has_value()) return status;
  return peer_->WaitConnected(wait, boost::asio::use_future).get();
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(
    const ClientFlags& flags, milliseconds wait,
    std::vector<boost::asio::io_context*> io_contexts) {
  auto client = Make(flags, /*mesh=*/false, std::move(io_contexts));
  if (!client.ok()) return client.status();
  if (absl::Status status = (*client)->Start(wait); !status.ok()) return status;
  return client;
}

}  // namespace grid::tools
