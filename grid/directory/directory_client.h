// MakeDirectory: a Directory over any DirectoryBackend. The backends that come with the library
// have functions of their own: local_directory.h, hosted_directory.h, etcd_directory.h.
#ifndef GRID_GRID_DIRECTORY_DIRECTORY_CLIENT_H_
#define GRID_GRID_DIRECTORY_DIRECTORY_CLIENT_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_backend.h"
#include "grid/directory/directory_options.h"

namespace grid {

// Begins to reach for the directory at once. kInvalidArgument names the option. The backend must
// use the same clock and thread.
absl::StatusOr<std::unique_ptr<Directory>> MakeDirectory(DirectoryOptions options,
                                                         std::unique_ptr<DirectoryBackend> backend);

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_DIRECTORY_CLIENT_H_
