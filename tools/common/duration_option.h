// Options of the programs that take a duration ("500ms", "2s").
#ifndef GRID_TOOLS_COMMON_DURATION_OPTION_H_
#define GRID_TOOLS_COMMON_DURATION_OPTION_H_

#include <chrono>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace grid::tools {

// Adds one to a command; a bad duration is a bad argument. `text` must outlive the parsing.
CLI::Option* AddDurationOption(CLI::App& command, const char* name, std::string* text,
                               const char* help);

// The duration that such an option holds, at least a millisecond; `otherwise` when it wasn't given.
std::chrono::milliseconds DurationOr(const std::string& text, std::chrono::milliseconds otherwise);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_DURATION_OPTION_H_
