// gridctl start: brings an actor to life on some member.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grid/actor/placement.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/mesh_client.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

struct StartFlags {
  DirectoryClientFlags client;
  std::string name;
  std::string on;
  std::string placement;
  std::vector<std::string> parameters;  // "key=value"
  bool json = false;
};

absl::StatusOr<StartRequest> RequestOf(const StartFlags& flags) {
  absl::StatusOr<Name> name = Name::Parse(flags.name);
  if (!name.ok()) return name.status();
  StartRequest request{.name = *std::move(name)};
  if (!flags.on.empty()) request.placement = Placement::On(flags.on);
  if (!flags.placement.empty()) {
    absl::StatusOr<Placement> placement = Placement::Parse(flags.placement);
    if (!placement.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--placement: ", placement.status().message()));
    }
    request.placement = *std::move(placement);
  }
  for (const std::string& entry : flags.parameters) {
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--param ", entry, ": not KEY=VALUE"));
    }
    request.parameters.insert_or_assign(entry.substr(0, equals), entry.substr(equals + 1));
  }
  absl::Status status = CheckStartParameters(request.parameters);
  if (!status.ok()) return absl::InvalidArgumentError(absl::StrCat("--param: ", status.message()));
  return request;
}

// Those that may be chosen.
std::set<std::string> HostsOf(const MembershipView& view, const Name& name) {
  std::set<std::string> hosts;
  for (const Member& member : view.members) {
    const bool up = member.state == MemberState::kUp;
    if (up && !HostedKind(member, name).empty()) hosts.insert(member.name);
  }
  return hosts;
}

int RunStart(const StartFlags& flags) {
  absl::StatusOr<StartRequest> request = RequestOf(flags);
  if (!request.ok()) return Fail(request.status());
  auto mesh = MeshClient::Connect(flags.client);
  if (!mesh.ok()) return Fail(mesh.status());
  request->policy.deadline = (*mesh)->timeout();
  const std::string name = request->name.text();
  (*mesh)->Reach(flags.on.empty() ? HostsOf(*(*mesh)->members().View(), request->name)
                                  : std::set<std::string>{flags.on});
  const absl::StatusOr<StartResult> started =
      (*mesh)->starter().Start(*std::move(request), boost::asio::use_future).get();
  if (!started.ok()) {
    if (flags.json) PrintJson(ErrorToJson(started.status()));
    return FailCall(started.status());
  }
  const std::string outcome = started->already_running ? "already running" : "started";
  const bool printed =
      flags.json ? PrintJson(boost::json::object{{"name", name},
                                                 {"outcome", outcome},
                                                 {"member", started->member},
                                                 {"epoch", started->epoch}})
                 : Print(AsBytes(absl::StrCat(name, " ", outcome, " at ", started->member, "\n")));
  return printed ? 0 : Fail(absl::UnavailableError("can't write to standard output"));
}

}  // namespace

void AddStart(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("start", "start an actor, and say where it runs");
  command->footer("That it runs already is a success, too.");
  auto flags = std::make_shared<StartFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("NAME", flags->name, "KIND/KEY: the path of its kind, and a key")->required();
  CLI::Option* on = command->add_option("--on", flags->on, "on this member and no other");
  command
      ->add_option("--placement", flags->placement,
                   "which member: random, round-robin, least(METRIC), spread (the default), "
                   "near-caller, hash; and with(KEY=VALUE)")
      ->excludes(on);
  command
      ->add_option("--param", flags->parameters,
                   "KEY=VALUE for whoever makes it; may be given again. In no listing where the "
                   "key begins with _")
      ->allow_extra_args(false);
  command->add_flag("--json", flags->json,
                    "print a JSON object: name, outcome (started, already running), member, epoch");
  command->callback([=] { *chosen = [flags] { return RunStart(*flags); }; });
}

}  // namespace grid::tools
