#include "grid/internal/secret_file.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace grid::internal {
namespace {

constexpr size_t kMaxBytes = size_t{64} << 10;
constexpr auto kLookEvery = std::chrono::seconds(1);

absl::Status FileError(const std::string& file, int error) {
  const std::string text =
      absl::StrCat("can't read ", file, ": ", std::generic_category().message(error));
  return error == ENOENT ? absl::NotFoundError(text) : absl::UnavailableError(text);
}

}  // namespace

SecretFile::SecretFile(TokenFileOptions options) : options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<SecretFile>> SecretFile::Open(TokenFileOptions options) {
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = NullLog();
  auto file = std::unique_ptr<SecretFile>(new SecretFile(std::move(options)));
  absl::StatusOr<Content> content = file->Read();
  if (!content.ok()) return content.status();
  const std::lock_guard lock(file->mutex_);
  file->content_ = *std::move(content);
  file->next_look_ = file->options_.clock->Now() + kLookEvery;
  return file;
}

SecretLines SecretFile::Lines() {
  const std::lock_guard lock(mutex_);
  if (options_.clock->Now() >= next_look_) Refresh();
  return content_.lines;
}

void SecretFile::Refresh() {
  next_look_ = options_.clock->Now() + kLookEvery;
  absl::StatusOr<Version> version = Look();
  if (version.ok() && *version == content_.version) {
    warned_.clear();
    return;
  }
  absl::StatusOr<Content> content = version.ok() ? Read() : version.status();
  if (content.ok()) {
    content_ = *std::move(content);
    warned_.clear();
    return;
  }
  const std::string warning =
      absl::StrCat(content.status().message(), "; what it held before stays in force");
  if (warning == warned_) return;
  warned_ = warning;
  options_.log->Log(LogLevel::kWarning, warning);
}

absl::StatusOr<SecretFile::Version> SecretFile::Look() const {
  struct stat status = {};
  if (::stat(options_.file.c_str(), &status) != 0) return FileError(options_.file, errno);
  return Version{status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
                 status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

absl::StatusOr<SecretFile::Content> SecretFile::Read() const {
  // Not to be stopped by a pipe that nobody writes to.
  const int fd = ::open(options_.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FileError(options_.file, errno);
  const absl::Cleanup close = [fd] { ::close(fd); };
  // Before reading: what is written meanwhile is seen as a change the next time.
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return FileError(options_.file, errno);
  if (!S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(options_.file, " is no regular file"));
  }
  std::string text(kMaxBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(options_.file, errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.file, " has more than ", kMaxBytes, " bytes"));
  }
  text.resize(size);
  auto lines = std::make_shared<std::vector<std::string>>();
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view secret = absl::StripAsciiWhitespace(line);
    if (!secret.empty()) lines->emplace_back(secret.data(), secret.size());
  }
  OPENSSL_cleanse(text.data(), text.size());
  if (lines->empty()) return absl::InvalidArgumentError(absl::StrCat(options_.file, " is empty"));
  return Content{{status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
                  status.st_mtim.tv_sec, status.st_mtim.tv_nsec},
                 std::move(lines)};
}

bool SameSecret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace grid::internal
