// The flags that say which node a program is: shared by gridnode and gridctl.
//
//   NodeFlags flags;
//   AddNodeFlags(app, &flags);
//   if (const ParseResult parsed = ParseArguments(app, argc, argv); !parsed.go()) return
//   parsed.status(); absl::StatusOr<ManagerOptions> options = MakeManagerOptions(flags, log);
#ifndef GRID_TOOLS_COMMON_NODE_FLAGS_H_
#define GRID_TOOLS_COMMON_NODE_FLAGS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/options.h"
#include "handlers/compression.h"

namespace CLI {
class App;
}

namespace grid::tools {

struct NodeFlags {
  std::string local;
  bool client = false;  // not of the command line: we are no member (ManagerOptions::client)
  std::string route = "/minio/grid/v1";
  std::string token_file;
  std::vector<std::string> dictionaries;  // files
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  std::vector<std::string> without;  // extensions
};

// The extensions that --without can switch off, as PROTOCOL.md names them.
std::vector<std::string> ExtensionNames();

// Adds --local, --route, --token-file, --dictionary, --tls-cert, --tls-key, --tls-ca and --without
// to `app`. `flags` must outlive the parsing.
void AddNodeFlags(CLI::App& app, NodeFlags* flags);

// The token file is read now and when it changes (TokenFileOptions). Errors name the flag that is
// wrong.
absl::StatusOr<ManagerOptions> MakeManagerOptions(const NodeFlags& flags,
                                                  std::shared_ptr<LogSink> log);

// What --compress means with these options: with their first dictionary, if there is one, payloads
// of any size.
Compression CompressionFor(const ManagerOptions& options);

// "host:port" of a node's name: where it listens unless told otherwise.
absl::StatusOr<std::string> ListenAddressOf(const std::string& name);

// A whole file; kNotFound and the like name it. At most `limit` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_NODE_FLAGS_H_
