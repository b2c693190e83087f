// gridctl names: who holds what.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <string>

#include "tools/gridctl/command.h"
#include "tools/gridctl/directory_client.h"
#include "tools/gridctl/entry_output.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

struct NamesFlags {
  DirectoryClientFlags client;
  std::string path;
  bool attributes = false;
  bool json = false;
};

bool PrintLines(const std::vector<Entry>& entries, bool attributes) {
  std::string lines;
  const size_t width = NameWidth(entries);
  for (const Entry& entry : entries) lines += EntryLine(entry, width, attributes) + "\n";
  return Print(AsBytes(lines));
}

int RunNames(const NamesFlags& flags) {
  absl::StatusOr<Selector> selector = SelectorOf(flags.path);
  if (!selector.ok()) return Fail(selector.status());
  auto client = DirectoryClient::Connect(flags.client);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<Resolution> found =
      (*client)
          ->directory()
          .Resolve(*std::move(selector), (*client)->timeout(), boost::asio::use_future)
          .get();
  if (!found.ok()) return Fail((*client)->Explain(found.status()));
  const bool printed =
      flags.json ? PrintJson(boost::json::object{{"names", EntriesToJson(found->entries)}})
                 : PrintLines(found->entries, flags.attributes);
  return printed ? 0 : Fail(absl::UnavailableError("can't write to standard output"));
}

}  // namespace

void AddNames(CLI::App& app, Command* chosen) {
  CLI::App* command = app.add_subcommand("names", "who holds which name, one per line");
  auto flags = std::make_shared<NamesFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("PATH", flags->path, "only this name, and those below it: realm/kind/...");
  command->add_flag("--attributes", flags->attributes,
                    "with attributes; those whose key begins with _ are never shown");
  command->add_flag("--json", flags->json,
                    "print a JSON object: names, each with name, holding, epoch, member, "
                    "incarnation, attributes");
  command->callback([=] { *chosen = [flags] { return RunNames(*flags); }; });
}

}  // namespace grid::tools
