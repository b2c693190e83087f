// The commands of gridctl. Each adds itself to the program; main runs the one that was chosen.
#ifndef GRID_TOOLS_GRIDCTL_COMMAND_H_
#define GRID_TOOLS_GRIDCTL_COMMAND_H_

#include <functional>
#include <string_view>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace grid::tools {

// Runs a command after its arguments were read; returns the exit status.
using Command = std::function<int()>;

// Adds a subcommand with its options to `app`. `chosen` gets the command when it is the one, and
// must outlive the parsing.
void AddCall(CLI::App& app, Command* chosen);
void AddStream(CLI::App& app, Command* chosen);
void AddBench(CLI::App& app, Command* chosen);
void AddConformance(CLI::App& app, Command* chosen);
void AddNames(CLI::App& app, Command* chosen);
void AddWatch(CLI::App& app, Command* chosen);
void AddFlush(CLI::App& app, Command* chosen);
void AddStart(CLI::App& app, Command* chosen);
void AddStop(CLI::App& app, Command* chosen);
void AddSend(CLI::App& app, Command* chosen);
void AddAsk(CLI::App& app, Command* chosen);
void AddGather(CLI::App& app, Command* chosen);
void AddDrain(CLI::App& app, Command* chosen);
void AddPatrol(CLI::App& app, Command* chosen);
void AddDecode(CLI::App& app, Command* chosen);
void AddTrainDictionary(CLI::App& app, Command* chosen);

// Says what went wrong on standard error; returns the exit status: 2 for kInvalidArgument that
// isn't the peer's, otherwise 1. A call's failure is shown with its delivery class.
int Fail(const absl::Status& status);
int FailCall(const absl::Status& status);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_COMMAND_H_
