// SecretFile: the lines of a small file, read anew when it changes.
//
// Thread-safe. Looks at the file at most once a second of the clock's time, so that asking costs
// next to nothing.
//
//   absl::StatusOr<std::unique_ptr<SecretFile>> file = SecretFile::Open({.file = path});
//   std::shared_ptr<const std::vector<std::string>> lines = (*file)->Lines();
#ifndef GRID_GRID_INTERNAL_SECRET_FILE_H_
#define GRID_GRID_INTERNAL_SECRET_FILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "grid/authenticator.h"

namespace grid::internal {

using SecretLines = std::shared_ptr<const std::vector<std::string>>;

class SecretFile {
 public:
  // An error that names the file, and never its contents.
  static absl::StatusOr<std::unique_ptr<SecretFile>> Open(TokenFileOptions options);

  // Never empty; without white space around the lines, and without empty ones. What the file held
  // when it could last be used.
  SecretLines Lines();

 private:
  // Whether the file is another one, or has been written to.
  struct Version {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_s = 0, modified_ns = 0;
    bool operator==(const Version&) const = default;
  };
  struct Content {
    Version version;
    SecretLines lines;
  };

  explicit SecretFile(TokenFileOptions options);

  absl::StatusOr<Version> Look() const;
  absl::StatusOr<Content> Read() const;
  void Refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TokenFileOptions options_;
  std::mutex mutex_;
  TimePoint next_look_ ABSL_GUARDED_BY(mutex_);
  Content content_ ABSL_GUARDED_BY(mutex_);
  std::string warned_ ABSL_GUARDED_BY(mutex_);  // the last warning, which is not repeated
};

// True when `a` and `b` are the same; the time tells nothing but whether the lengths differ.
bool SameSecret(std::string_view a, std::string_view b);

}  // namespace grid::internal

#endif  // GRID_GRID_INTERNAL_SECRET_FILE_H_
