// gridctl watch: what happens to names, until it is interrupted.
#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/object.hpp>
#include <csignal>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/gridctl/command.h"
#include "tools/gridctl/directory_client.h"
#include "tools/gridctl/entry_output.h"
#include "tools/gridctl/output.h"

namespace grid::tools {
namespace {

struct WatchFlags {
  DirectoryClientFlags client;
  std::string path;
  uint64_t count = 0;  // 0: any number
  bool attributes = false;
  bool json = false;
};

const char* KindName(WatchEvent::Kind kind) {
  switch (kind) {
    case WatchEvent::Kind::kSnapshot:
      return "snapshot";
    case WatchEvent::Kind::kAdded:
      return "added";
    case WatchEvent::Kind::kChanged:
      return "changed";
    case WatchEvent::Kind::kRemoved:
      return "removed";
    case WatchEvent::Kind::kResynchronised:
      return "resynchronised";
  }
  return "unknown";
}

// A snapshot of nothing is a line too.
bool PrintEvent(const WatchEvent& event, const WatchFlags& flags) {
  const std::string kind = KindName(event.kind);
  if (flags.json) {
    return PrintJson(boost::json::object{{"event", kind}, {"names", EntriesToJson(event.entries)}});
  }
  std::string lines;
  const size_t width = NameWidth(event.entries);
  for (const Entry& entry : event.entries) {
    absl::StrAppend(&lines, kind, "  ", EntryLine(entry, width, flags.attributes), "\n");
  }
  if (event.entries.empty()) lines = kind + "\n";
  return Print(AsBytes(lines));
}

int RunWatch(const WatchFlags& flags) {
  absl::StatusOr<Selector> selector = SelectorOf(flags.path);
  if (!selector.ok()) return Fail(selector.status());
  auto client = DirectoryClient::Connect(flags.client);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<Watcher> watching = (*client)->directory().Watch(*std::move(selector));
  if (!watching.ok()) return Fail((*client)->Explain(watching.status()));
  // Shared: a signal may come at the end.
  const auto watcher = std::make_shared<Watcher>(*std::move(watching));
  boost::asio::signal_set signals((*client)->io(), SIGINT, SIGTERM);
  signals.async_wait([watcher](const boost::system::error_code& ec, int) {
    if (!ec) watcher->Close();
  });
  for (uint64_t events = 0; flags.count == 0 || events < flags.count; ++events) {
    const absl::StatusOr<WatchEvent> event = watcher->Next(boost::asio::use_future).get();
    if (absl::IsCancelled(event.status())) break;
    if (!event.ok()) return Fail((*client)->Explain(event.status()));
    if (!PrintEvent(*event, flags)) {
      return Fail(absl::UnavailableError("can't write to standard output"));
    }
  }
  return 0;
}

}  // namespace

void AddWatch(CLI::App& app, Command* chosen) {
  CLI::App* command =
      app.add_subcommand("watch", "the names that are held, then every change, as lines");
  command->footer(
      "Each line begins with what happened: snapshot (what there is at the beginning), added,\n"
      "changed, removed, or resynchronised (all there is, after the directory was not reached).\n"
      "SIGINT and SIGTERM end it with status 0.");
  auto flags = std::make_shared<WatchFlags>();
  AddDirectoryClientFlags(*command, &flags->client);
  command->add_option("PATH", flags->path, "only this name, and those below it: realm/kind/...");
  command->add_option("--count", flags->count, "end after so many events, the snapshot being one")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 53));
  command->add_flag("--attributes", flags->attributes,
                    "with attributes; those whose key begins with _ are never shown");
  command->add_flag("--json", flags->json, "each event as a JSON object: event, names");
  command->callback([=] { *chosen = [flags] { return RunWatch(*flags); }; });
}

}  // namespace grid::tools
