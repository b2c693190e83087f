// gridctl patrol: keeps as many actors of each kind running as a file says.
#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <csignal>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grid/actor/patrol.h"
#include "grid/actor/patrol_plan.h"
#include "tools/common/patrol_file.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/mesh_client.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;

// For --once, stops of what is too many included.
constexpr std::chrono::seconds kDefaultOnce{60};

struct PatrolFlags {
  DirectoryClientFlags client;
  std::string file;
  bool once = false;
  bool json = false;
};

// The kinds of a file, each with its Patrol, and what is seen of their actors. Everything on the
// mesh's thread, but for what says otherwise.
class Patrols {
 public:
  Patrols(MeshClient& mesh, const PatrolFlags& flags) : mesh_(mesh), flags_(flags) {}
  // Any other thread.
  ~Patrols() {
    for (Patrolled& kind : kinds_) kind.watcher.Close();
    for (std::future<void>& watching : watching_) watching.wait();
    std::promise<void> gone;
    asio::post(mesh_.io(), [&] {
      kinds_.clear();
      gone.set_value();
    });
    gone.get_future().wait();
  }
  Patrols(const Patrols&) = delete;
  Patrols& operator=(const Patrols&) = delete;

  // Any other thread, once.
  absl::Status Begin(const std::vector<PatrolEntry>& entries, std::shared_ptr<LogSink> log) {
    kinds_.reserve(entries.size());
    for (const PatrolEntry& entry : entries) {
      PatrolOptions options{.io = &mesh_.io(),
                            .path = entry.kind,
                            .count = Activation::Count(entry.count).count(),
                            .placement = entry.placement,
                            .parameters = entry.parameters,
                            .log = log};
      auto patrol =
          Patrol::Make(mesh_.directory(), mesh_.members(), mesh_.starter(), std::move(options));
      if (!patrol.ok()) return patrol.status();
      absl::StatusOr<Watcher> watcher = mesh_.directory().Watch(Selector::Under(entry.kind));
      if (!watcher.ok()) return watcher.status();
      kinds_.push_back({.path = entry.kind,
                        .count = entry.count,
                        .patrol = *std::move(patrol),
                        .watcher = *std::move(watcher)});
    }
    for (Patrolled& kind : kinds_) {
      watching_.push_back(asio::co_spawn(mesh_.io(), Watch(kind), asio::use_future));
    }
    return absl::OkStatus();
  }

  // Completes with OK when asked to end, or with --once when all is as it is to be; with why it
  // can't go on otherwise. Any thread, once.
  std::future<absl::Status> Ended() { return ended_.get_future(); }
  void End(absl::Status why) {
    if (!std::exchange(told_, true)) ended_.set_value(std::move(why));
  }

  // What is missing and what is too many, in words; empty: nothing.
  std::string Open() const {
    std::vector<std::string> open;
    for (const Patrolled& kind : kinds_) {
      const PatrolPlan plan = PlanOf(kind);
      if (kind.known && plan.start.empty() && plan.stop.empty()) continue;
      open.push_back(absl::StrCat(kind.path.text(), ": ", plan.start.size(), " to start, ",
                                  plan.stop.size(), " to stop",
                                  kind.patrol->acting() ? "" : ", and it is not us who act"));
    }
    return absl::StrJoin(open, "; ");
  }

 private:
  struct Patrolled {
    Path path;
    size_t count = 0;
    std::unique_ptr<Patrol> patrol;
    Watcher watcher;
    std::map<std::pair<Name, uint64_t>, Entry> held = {};  // those that are counted
    bool known = false;
  };

  static PatrolPlan PlanOf(const Patrolled& kind) {
    std::vector<Entry> held;
    for (const auto& [key, entry] : kind.held) held.push_back(entry);
    return PlanPatrol(kind.path, kind.count, held);
  }

  asio::awaitable<void> Watch(Patrolled& kind) {
    for (;;) {
      const absl::StatusOr<WatchEvent> event = co_await kind.watcher.Next();
      if (absl::IsCancelled(event.status())) co_return;
      if (!event.ok()) co_return End(event.status());
      Apply(*event, kind);
      kind.known = true;
      if (flags_.once && Open().empty()) End(absl::OkStatus());
    }
  }

  void Apply(const WatchEvent& event, Patrolled& kind) {
    switch (event.kind) {
      case WatchEvent::Kind::kSnapshot:
      case WatchEvent::Kind::kResynchronised: {
        auto before = std::exchange(kind.held, {});
        for (const Entry& entry : event.entries) {
          const bool seen = before.erase({entry.name, entry.epoch}) > 0;
          Put(entry, kind, seen ? nullptr : kind.known ? "started" : "runs");
        }
        for (const auto& [key, entry] : before) Tell("ended", entry);
        break;
      }
      case WatchEvent::Kind::kAdded:
        for (const Entry& entry : event.entries) Put(entry, kind, "started");
        break;
      case WatchEvent::Kind::kChanged:
        for (const Entry& entry : event.entries) Put(entry, kind, nullptr);
        break;
      case WatchEvent::Kind::kRemoved:
        for (const Entry& entry : event.entries) {
          if (kind.held.erase({entry.name, entry.epoch}) > 0) Tell("ended", entry);
        }
        break;
    }
  }

  // `what`: to be told of it; null: nothing.
  void Put(const Entry& entry, Patrolled& kind, const char* what) {
    if (!PatrolledIndex(kind.path, entry.name).has_value()) return;
    kind.held.insert_or_assign({entry.name, entry.epoch}, entry);
    if (what != nullptr) Tell(what, entry);
  }

  void Tell(const std::string& what, const Entry& entry) {
    const bool printed = flags_.json ? PrintJson(boost::json::object{{"event", what},
                                                                     {"name", entry.name.text()},
                                                                     {"member", entry.member},
                                                                     {"epoch", entry.epoch}})
                                     : Print(AsBytes(absl::StrCat(what, " ", entry.name.text(),
                                                                  " at ", entry.member, "\n")));
    if (!printed) End(absl::UnavailableError("can't write to standard output"));
  }

  MeshClient& mesh_;
  const PatrolFlags& flags_;
  std::vector<Patrolled> kinds_;
  std::vector<std::future<void>> watching_;
  std::promise<absl::Status> ended_;
  bool told_ = false;
};

// Waits for the end, with --once no longer than `limit`.
absl::Status Wait(MeshClient& mesh, Patrols& patrols, const PatrolFlags& flags) {
  std::future<absl::Status> ended = patrols.Ended();
  if (!flags.once) return ended.get();
  const auto limit = DurationOr(flags.client.client.timeout_text, kDefaultOnce);
  if (ended.wait_for(limit) != std::future_status::ready) {
    asio::post(mesh.io(), [&patrols, limit] {
      patrols.End(absl::DeadlineExceededError(
          absl::StrCat("not so after ", limit.count(), " ms: ", patrols.Open())));
    });
  }
  return ended.get();
}

int RunPatrol(const PatrolFlags& flags) {
  const std::string path = flags.file == "-" ? "/dev/stdin" : flags.file;
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxPatrolFileBytes);
  if (!text.ok()) return Fail(absl::InvalidArgumentError(text.status().message()));
  const auto entries = ParsePatrolFile(path, *text);
  if (!entries.ok()) return Fail(entries.status());
  auto mesh = MeshClient::Connect(flags.client, DirectoryUse::kPatrol);
  if (!mesh.ok()) return Fail(mesh.status());
  // Otherwise the first actors all come to life on those that are there first.
  (*mesh)->ReachAll();
  const auto log =
      SpdlogLog("gridctl", flags.client.client.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  Patrols patrols(**mesh, flags);
  asio::signal_set signals((*mesh)->io(), SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (!ec) patrols.End(flags.once ? absl::CancelledError("interrupted") : absl::OkStatus());
  });
  if (absl::Status status = patrols.Begin(*entries, log); !status.ok()) return Fail(status);
  const absl::Status ended = Wait(**mesh, patrols, flags);
  return ended.ok() ? 0 : Fail(ended);
}

}  // namespace

void AddPatrol(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand(
      "patrol", "keep as many actors of each kind running as a file says, until it is interrupted");
  command->footer(
      "The file is YAML, a list of kinds:\n"
      "  - kind: demo/counter      # its actors are demo/counter/0, demo/counter/1, ...\n"
      "    count: 2\n"
      "    placement: spread       # may be missing, as of gridctl start\n"
      "    parameters: {from: 10}  # may be missing\n"
      "Each line says what happened to which actor: runs (it did before), started, ended. What "
      "runs\n"
      "runs on afterwards. SIGINT and SIGTERM end it with status 0. Of all that patrol a kind, "
      "gridctl\n"
      "or programs, one acts; the others wait, and say for whom, until it ends or its lease runs "
      "out.\n"
      "With --once it does not matter who has made it so.");
  auto flags = std::make_shared<PatrolFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("FILE", flags->file, "what is to run; - is stdin")->required();
  command->add_flag("--once", flags->once,
                    "end once all is so; fail when it is not within --timeout, otherwise 60s");
  command->add_flag("--json", flags->json,
                    "each line as a JSON object: event, name, member, epoch");
  command->callback([=] { *chosen = [flags] { return RunPatrol(*flags); }; });
}

}  // namespace grid::tools
