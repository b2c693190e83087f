// gridctl: the operator's command.
#include <signal.h>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"
#include "tools/common/command_line.h"
#include "tools/gridctl/command.h"

namespace grid::tools {

int Fail(const absl::Status& status) {
  const absl::string_view message = status.message();
  PrintError("gridctl", {message.data(), message.size()});
  return absl::IsInvalidArgument(status) && !IsRemote(status) ? kExitBadArguments : kExitFailure;
}

int FailCall(const absl::Status& status) {
  PrintError("gridctl", absl::StrCat(status.message(), " (",
                                     std::string(DeliveryName(DeliveryOf(status))), ")"));
  return kExitFailure;
}

namespace {

int Run(int argc, char** argv) {
  CLI::App app("Talks to a node of the mesh.", "gridctl");
  app.require_subcommand(1);
  Command chosen;
  AddCall(app, &chosen);
  AddStream(app, &chosen);
  AddBench(app, &chosen);
  AddConformance(app, &chosen);
  AddNames(app, &chosen);
  AddWatch(app, &chosen);
  AddFlush(app, &chosen);
  AddStart(app, &chosen);
  AddStop(app, &chosen);
  AddSend(app, &chosen);
  AddAsk(app, &chosen);
  AddGather(app, &chosen);
  AddDrain(app, &chosen);
  AddPatrol(app, &chosen);
  AddDecode(app, &chosen);
  AddTrainDictionary(app, &chosen);
  if (const ParseResult parsed = ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }
  signal(SIGPIPE, SIG_IGN);  // a reader of our output that goes away is a failed write
  return chosen();
}

}  // namespace
}  // namespace grid::tools

int main(int argc, char** argv) { return grid::tools::Run(argc, argv); }
