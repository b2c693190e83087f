#include "tools/common/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/ascii.h"

namespace grid::tools {

ParseResult ParseArguments(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);  // prints the help
      return ParseResult::Exit(0);
    }
    PrintError(app.get_name(), error.what());
    return ParseResult::Exit(kExitBadArguments);
  }
  return ParseResult::Go();
}

void PrintError(std::string_view program, std::string_view message) {
  std::string line(program);
  line.append(": ").append(message);
  for (char& c : line) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  absl::StripTrailingAsciiWhitespace(&line);
  line += '\n';
  std::fflush(stdout);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace grid::tools
