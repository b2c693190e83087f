// gridctl stop and drain: end actors, or take a member out of service.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/actor/member_drain.h"
#include "tools/common/command_line.h"
#include "tools/common/duration_option.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/mesh_client.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

using std::chrono::milliseconds;

constexpr milliseconds kDefaultLimit{30'000};
constexpr size_t kAtATime = 64;

struct StopFlags {
  DirectoryClientFlags client;
  std::string path;  // of drain also a member
  std::string mode = "after-queue";
  std::string limit;  // empty: kDefaultLimit
  bool json = false;
};

const std::map<std::string, StopMode> kModes = {{"after-current", StopMode::kAfterCurrent},
                                                {"after-queue", StopMode::kAfterQueue},
                                                {"kill", StopMode::kKill}};

// False: nobody reads it.
bool PrintStopped(const Entry& entry, const absl::StatusOr<StopResult>& stopped, bool as_json) {
  const std::string name = entry.name.text();
  if (as_json) {
    json::object out{{"name", name}, {"member", entry.member}, {"epoch", entry.epoch}};
    out["outcome"] = !stopped.ok() ? "failed" : stopped->killed ? "killed" : "stopped";
    if (!stopped.ok()) {
      for (auto& item : ErrorToJson(stopped.status())) out[item.key()] = item.value();
    }
    return PrintJson(out);
  }
  if (!stopped.ok()) {
    PrintError("gridctl",
               absl::StrCat(name, ": ", stopped.status().message(), " (",
                            std::string(DeliveryName(DeliveryOf(stopped.status()))), ")"));
    return true;
  }
  return Print(AsBytes(
      absl::StrCat(name, stopped->killed ? " killed at " : " stopped at ", entry.member, "\n")));
}

// Stops all of them, some at a time; prints what became of each, in their order.
int StopAll(MeshClient& mesh, const std::vector<Entry>& entries, const StopFlags& flags) {
  mesh.ReachHolders(entries);
  const milliseconds limit = DurationOr(flags.limit, kDefaultLimit);
  std::deque<std::pair<Entry, std::future<absl::StatusOr<StopResult>>>> under_way;
  bool failed = false, printed = true;
  const auto finish = [&] {
    const absl::StatusOr<StopResult> stopped = under_way.front().second.get();
    failed = failed || !stopped.ok();
    printed = printed && PrintStopped(under_way.front().first, stopped, flags.json);
    under_way.pop_front();
  };
  for (const Entry& entry : entries) {
    if (under_way.size() == kAtATime) finish();
    StopRequest request{.name = entry.name,
                        .member = entry.member,
                        .epoch = entry.epoch,
                        .mode = kModes.at(flags.mode),
                        .limit = limit,
                        .timeout = limit + mesh.timeout()};
    under_way.emplace_back(entry, mesh.starter().Stop(std::move(request), asio::use_future));
  }
  while (!under_way.empty()) finish();
  if (!printed) return Fail(absl::UnavailableError("can't write to standard output"));
  return failed ? kExitFailure : 0;
}

// Resolves and stops; nobody there is a failure.
int StopSelected(MeshClient& mesh, Selector selector, const StopFlags& flags) {
  const absl::StatusOr<std::vector<Entry>> entries = mesh.Resolve(std::move(selector));
  if (!entries.ok()) return Fail(entries.status());
  if (entries->empty()) return Fail(absl::NotFoundError("nobody is at " + flags.path));
  return StopAll(mesh, *entries, flags);
}

int RunStop(const StopFlags& flags) {
  absl::StatusOr<Name> name = Name::Parse(flags.path);
  if (!name.ok()) {
    return Fail(absl::InvalidArgumentError(absl::StrCat(
        name.status().message(), "; stop takes a whole name, drain all that is below a path")));
  }
  auto mesh = MeshClient::Connect(flags.client);
  if (!mesh.ok()) return Fail(mesh.status());
  return StopSelected(**mesh, Selector::Of({*name}), flags);
}

int DrainOne(MeshClient& mesh, const StopFlags& flags) {
  if (mesh.members().View()->Find(flags.path) == nullptr) {
    return Fail(absl::NotFoundError(absl::StrCat(flags.path, " is no member")));
  }
  mesh.Reach({flags.path});
  const absl::StatusOr<uint64_t> marked =
      DrainMember(mesh.manager().Connection(flags.path), mesh.timeout(), asio::use_future).get();
  if (!marked.ok()) {
    const absl::Status& status = marked.status();
    if (flags.json) PrintJson(ErrorToJson(status));
    if (!absl::IsPermissionDenied(status)) return FailCall(status);
    return Fail({status.code(), absl::StrCat(status.message(),
                                             "; connect as a member: --member, and --local with "
                                             "a name that it has as a --peer")});
  }
  const bool printed = flags.json
                           ? PrintJson(json::object{{"member", flags.path}, {"actors", *marked}})
                           : Print(AsBytes(absl::StrCat(flags.path, " drains, and so do its ",
                                                        *marked, " actors\n")));
  return printed ? 0 : Fail(absl::UnavailableError("can't write to standard output"));
}

int RunDrain(const StopFlags& flags) {
  // No path has a colon.
  const bool member = flags.path.find(':') != std::string::npos;
  absl::StatusOr<Path> path = member ? Path::Root() : Path::Parse(flags.path);
  if (!path.ok()) return Fail(path.status());
  auto mesh = MeshClient::Connect(flags.client);
  if (!mesh.ok()) return Fail(mesh.status());
  if (member) return DrainOne(**mesh, flags);
  return StopSelected(**mesh, Selector::Under(*std::move(path)), flags);
}

void AddLimit(CLI::App& command, StopFlags* flags) {
  AddDurationOption(command, "--limit", &flags->limit,
                    "kill what has not stopped by then, as 5s; otherwise 30s");
}

}  // namespace

void AddStop(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("stop", "stop an actor, wherever it runs");
  auto flags = std::make_shared<StopFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("PATH", flags->path, "its whole name; of a shared one all that have it")
      ->required();
  command
      ->add_option("--mode", flags->mode,
                   "after-current: what waits is refused; after-queue: is handled; or kill")
      ->check(CLI::IsMember({"after-current", "after-queue", "kill"}))
      ->capture_default_str();
  AddLimit(*command, flags.get());
  command->add_flag(
      "--json", flags->json,
      "each as a JSON object: name, member, epoch, outcome (stopped, killed, failed)");
  command->callback([=] { *chosen = [flags] { return RunStop(*flags); }; });
}

void AddDrain(CLI::App& app, Command* chosen) {
  CLI::App* command =
      app.add_subcommand("drain", "take a member out of service, or stop all actors below a path");
  command->footer(
      "A member that drains runs on, with its actors: no more are started there, and messages go\n"
      "to others where there are any. It does so until it is started anew. A node lets only\n"
      "members ask for it: --member, and a --local that it has as a --peer.\n"
      "The actors below a path finish what waits for them, and stop.");
  auto flags = std::make_shared<StopFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("PATH", flags->path, "MEMBER, its URL; or the path of actors")->required();
  AddLimit(*command, flags.get());
  command->add_flag("--json", flags->json,
                    "print JSON objects: member, actors; or as stop does of each actor");
  command->callback([=] { *chosen = [flags] { return RunDrain(*flags); }; });
}

}  // namespace grid::tools
