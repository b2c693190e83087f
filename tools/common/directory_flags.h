// The flags that say where the directory of names is: shared by gridnode and gridctl.
//
//   DirectoryFlags flags{.directory = "hosted"};
//   AddDirectoryFlags(app, "help of --directory", &flags);
//   ...
//   absl::StatusOr<DirectoryChoice> choice = ChooseDirectory(flags);
#ifndef GRID_TOOLS_COMMON_DIRECTORY_FLAGS_H_
#define GRID_TOOLS_COMMON_DIRECTORY_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/etcd_directory.h"

namespace CLI {
class App;
}

namespace grid::tools {

struct DirectoryFlags {
  // "local", "hosted", "hosted:URL", "etcd://HOST:PORT,HOST:PORT", the same with etcds:// for TLS,
  // "none"; empty: not said
  std::string directory = {};
  std::string etcd_user = {};
  std::string etcd_password_file = {};
  std::string etcd_prefix = {};  // empty: EtcdOptions' default
  std::string etcd_ca = {};
  std::string etcd_cert = {};
  std::string etcd_key = {};
};

// Adds --directory, --etcd-user, --etcd-password-file, --etcd-prefix, --etcd-ca, --etcd-cert and
// --etcd-key to `app`. `flags` must outlive the parsing.
void AddDirectoryFlags(CLI::App& app, const std::string& help, DirectoryFlags* flags);

struct DirectoryChoice {
  enum class Kind { kNone, kLocal, kHosted, kEtcd };
  Kind kind = Kind::kNone;
  std::string host = {};  // of kHosted: who serves; empty: the first of all members' names in order
  EtcdOptions etcd = {};  // of kEtcd
};

// Whether --directory begins as the forms for etcd do: the only ones for a client.
bool IsEtcd(const DirectoryFlags& flags);

// Reads the password, if there is one. kInvalidArgument names the flag that is wrong, or that this
// --directory has no use for.
absl::StatusOr<DirectoryChoice> ChooseDirectory(const DirectoryFlags& flags);

// The members of a hosted directory in the order that all of them agree on: the one that serves,
// then the others by name. kInvalidArgument when `host`, which may be empty, is none of `members`.
absl::StatusOr<std::vector<std::string>> DirectoryHosts(std::vector<std::string> members,
                                                        const std::string& host);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_DIRECTORY_FLAGS_H_
