// What the programs have in common at their edges: reading arguments, and saying what went wrong.
#ifndef GRID_TOOLS_COMMON_COMMAND_LINE_H_
#define GRID_TOOLS_COMMON_COMMAND_LINE_H_

#include <string_view>

namespace CLI {
class App;
}

namespace grid::tools {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitBadArguments = 2;

// Whether the program may go on, and its exit status where not.
class ParseResult {
 public:
  static ParseResult Go() { return ParseResult(-1); }
  static ParseResult Exit(int status) { return ParseResult(status); }
  bool go() const { return status_ < 0; }
  int status() const { return status_; }

 private:
  explicit ParseResult(int status) : status_(status) {}
  int status_;
};

// Runs the parser: exit status 0 after --help, kExitBadArguments after bad arguments, which are
// explained in one line on standard error.
ParseResult ParseArguments(CLI::App& app, int argc, char** argv);

// Prints "PROGRAM: MESSAGE" as one line on standard error, whatever the message holds.
void PrintError(std::string_view program, std::string_view message);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_COMMAND_LINE_H_
