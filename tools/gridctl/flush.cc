// gridctl flush: takes every name from its holder.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/directory_client.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

struct FlushFlags {
  DirectoryClientFlags client;
  bool confirm = false;
  bool json = false;
};

int RunFlush(const FlushFlags& flags) {
  if (!flags.confirm) {
    return Fail(absl::InvalidArgumentError(
        "flush: takes every name of the whole cluster from its holder; say --confirm if you mean "
        "that"));
  }
  auto client = DirectoryClient::Connect(flags.client);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<uint64_t> removed =
      (*client)->directory().Flush((*client)->timeout(), boost::asio::use_future).get();
  if (!removed.ok()) return Fail((*client)->Explain(removed.status()));
  const std::string line = absl::StrCat(*removed, " names flushed\n");
  const bool printed =
      flags.json ? PrintJson(boost::json::object{{"flushed", *removed}}) : Print(AsBytes(line));
  return printed ? 0 : Fail(absl::UnavailableError("can't write to standard output"));
}

}  // namespace

void AddFlush(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("flush", "take every name from its holder");
  command->footer(
      "The holders find out with the next renewals of their leases, and give up what stands on "
      "the\n"
      "names; until then, a lease at most, nobody gets a name. A node lets only members do it:\n"
      "--member, and a --local that it has as a --peer.");
  auto flags = std::make_shared<FlushFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_flag("--confirm", flags->confirm, "really; without it nothing is done");
  command->add_flag("--json", flags->json, "print a JSON object: flushed");
  command->callback([=] { *chosen = [flags] { return RunFlush(*flags); }; });
}

}  // namespace grid::tools
