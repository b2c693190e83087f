// gridnode: a runnable node. Hosts the conformance service and keeps connections to its peers.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/manager.h"
#include "handlers/conformance/conformance.h"
#include "tools/common/command_line.h"
#include "tools/common/directory_flags.h"
#include "tools/common/duration_option.h"
#include "tools/common/node_flags.h"
#include "tools/common/real_sleep.h"
#include "tools/gridnode/admin_pages.h"
#include "tools/gridnode/admin_server.h"
#include "tools/gridnode/node_actors.h"
#include "tools/gridnode/node_directory.h"
#include "tools/gridnode/yaml_config.h"

namespace grid::tools {
namespace {

constexpr char kProgram[] = "gridnode";
constexpr std::chrono::milliseconds kDrainTimeout{30'000};
struct Flags {
  NodeFlags node;
  std::vector<std::string> peers;
  std::string listen;
  std::string admin;
  LogLevel log_level = LogLevel::kInfo;
  int io_threads = 1;
  int workers = 8;
  bool compress = false;
  std::string drain_timeout;  // empty: kDrainTimeout
  DirectoryFlags directory{.directory = "hosted"};
  std::vector<std::string> registered;
  ActorFlags actors;
};

void AddFlags(CLI::App& app, Flags* flags) {
  AddNodeFlags(app, &flags->node);
  app.get_option("--local")->required();
  app.add_option("--peer", flags->peers, "name of another member; may be given again and again");
  app.add_option("--listen", flags->listen,
                 "HOST:PORT to accept connections on; otherwise --local's");
  app.add_option("--io-threads", flags->io_threads, "threads that own connections")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--workers", flags->workers, "threads for handlers that may block")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  AddDurationOption(app, "--drain-timeout", &flags->drain_timeout,
                    "what the first SIGTERM or SIGINT leaves to what runs, as 30s (the default)");
  app.add_flag("--compress", flags->compress,
               "compress what the handlers answer; with the first --dictionary, if there is one");
  AddDirectoryFlags(app,
                    "where names are: local, those of this node alone; hosted, by the first of all "
                    "--local and --peer in order; hosted:URL, by that one; "
                    "etcd://HOST:PORT[,HOST:PORT]..., or etcds:// for TLS; or none",
                    &flags->directory);
  app.add_option("--register", flags->registered,
                 "[shared:]NAME[=KEY:VALUE,...] to hold while the node runs; may be given again")
      ->allow_extra_args(false);
  AddActorFlags(app, &flags->actors);
  app.add_option("--admin", flags->admin,
                 "HOST:PORT that serves /healthz /readyz /metrics /status.json /console");
  const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                  {"info", LogLevel::kInfo},
                                                  {"warning", LogLevel::kWarning},
                                                  {"error", LogLevel::kError}};
  app.add_option("--log-level", flags->log_level, "debug, info, warning or error")
      ->transform(CLI::CheckedTransformer(levels));
  app.set_config("--config", "", "YAML file with any of these flags; the command line wins");
  app.config_formatter(std::make_shared<YamlConfig>());
  app.allow_config_extras(false);
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Blocks them for the threads started from here on too, so that WaitForStop alone gets them.
void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStop() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  // The next one ends the process in the middle of whatever it does.
  struct sigaction at_once = {};
  at_once.sa_handler = [](int) { _exit(kExitFailure); };
  sigaction(SIGTERM, &at_once, nullptr);
  sigaction(SIGINT, &at_once, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void Drain(Manager& manager, std::chrono::milliseconds limit) {
  std::promise<void> stopped;
  manager.Drain(limit, [&stopped] { stopped.set_value(); });
  stopped.get_future().wait();
}

int Fail(const absl::Status& status, int exit_status = kExitFailure) {
  PrintError(kProgram, std::string(status.message()));
  return exit_status;
}

absl::Status Prepare(Manager& manager, const Flags& flags, const Compression& compression) {
  const ConformanceOptions service{.sleep = RealSleep, .compression = compression};
  if (absl::Status status = RegisterConformanceHandlers(manager, service); !status.ok()) {
    return status;
  }
  for (const std::string& peer : flags.peers) {
    if (absl::Status status = manager.AddPeer(peer); !status.ok()) {
      return {status.code(), absl::StrCat("--peer ", peer, ": ", status.message())};
    }
  }
  return absl::OkStatus();
}

// `actors`: null where there is no directory.
NodeStats StatsOf(const Manager& manager, const NodeDirectory& names, const NodeActors* actors) {
  NodeStats stats{
      .manager = manager.Stats(), .directory = names.Stats(), .registry = names.TableStats()};
  if (actors != nullptr) actors->AddStats(&stats);
  return stats;
}

// None where there is no directory.
absl::StatusOr<std::unique_ptr<NodeActors>> MakeActors(Manager& manager, const NodeDirectory& names,
                                                       IoThread& thread, const Flags& flags,
                                                       std::chrono::milliseconds drain,
                                                       std::shared_ptr<LogSink> log) {
  if (names.directory() != nullptr) {
    return NodeActors::Make(manager, *names.directory(), thread, flags.actors, drain,
                            std::move(log));
  }
  if (!flags.actors.kinds.empty() || !flags.actors.zone.empty()) {
    return absl::InvalidArgumentError("--kinds and --zone: not with --directory none");
  }
  return nullptr;
}

// Nobody finds us any more; what has found us is served; then all is closed. `limit` is for all of
// it together. `actors` may be null.
void Stop(Manager& manager, NodeDirectory& names, NodeActors* actors,
          std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  if (actors != nullptr) actors->Stop();
  names.Stop();
  const auto left = end - std::chrono::steady_clock::now();
  Drain(manager, std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                          std::chrono::milliseconds(0)));
  manager.Stop();
}

int Run(int argc, char** argv) {
  CLI::App app("A node of the mesh that hosts the conformance service.", kProgram);
  Flags flags;
  AddFlags(app, &flags);
  if (const ParseResult parsed = ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  absl::StatusOr<ManagerOptions> options =
      MakeManagerOptions(flags.node, SpdlogLog(kProgram, flags.log_level));
  if (!options.ok()) return Fail(options.status(), kExitBadArguments);
  options->io_threads = flags.io_threads;
  options->worker_threads = flags.workers;
  if (flags.listen.empty()) {
    const absl::StatusOr<std::string> own = ListenAddressOf(flags.node.local);
    if (!own.ok()) return Fail(own.status(), kExitBadArguments);
    flags.listen = *own;
  }

  BlockStopSignals();
  signal(SIGPIPE, SIG_IGN);
  std::atomic<bool> ready{false};
  const std::shared_ptr<LogSink> log = options->log;
  const Compression compression = flags.compress ? CompressionFor(*options) : Compression();
  IoThread names_thread;
  Manager manager(*std::move(options));
  if (absl::Status status = Prepare(manager, flags, compression); !status.ok()) {
    return Fail(status, kExitBadArguments);
  }
  auto names = NodeDirectory::Make(manager, names_thread, flags.directory, flags.registered, log);
  if (!names.ok()) return Fail(names.status(), kExitBadArguments);
  const std::chrono::milliseconds drain = DurationOr(flags.drain_timeout, kDrainTimeout);
  auto actors = MakeActors(manager, **names, names_thread, flags, drain, log);
  if (!actors.ok()) return Fail(actors.status(), kExitBadArguments);
  if (absl::Status status = manager.Start(); !status.ok()) {
    return Fail(status, absl::IsInvalidArgument(status) ? kExitBadArguments : kExitFailure);
  }
  if (const auto port = manager.Listen(flags.listen); !port.ok()) return Fail(port.status());
  std::unique_ptr<AdminServer> admin;
  if (!flags.admin.empty()) {
    auto started = AdminServer::Start(
        flags.admin, AdminPages([&] { return StatsOf(manager, **names, actors->get()); }, ready));
    if (!started.ok()) {
      return Fail({started.status().code(), absl::StrCat("--admin: ", started.status().message())});
    }
    admin = *std::move(started);
  }
  ready = true;
  std::printf("ready %s\n", flags.node.local.c_str());
  std::fflush(stdout);

  WaitForStop();
  ready = false;
  Stop(manager, **names, actors->get(), drain);
  return 0;
}

}  // namespace
}  // namespace grid::tools

int main(int argc, char** argv) { return grid::tools::Run(argc, argv); }
