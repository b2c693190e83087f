// TempFile: a file of the test's own, gone with it.
#ifndef GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_
#define GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace grid::testing {

class TempFile {
 public:
  explicit TempFile(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "grid-file-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    path_ = folder_ + "/secret";
    Write(text);
  }
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  // Another file in its place, as a careful writer does it.
  void Replace(const std::string& text) {
    std::ofstream(path_ + ".new", std::ios::binary) << text;
    std::filesystem::rename(path_ + ".new", path_);
  }
  void Remove() { std::filesystem::remove(path_); }

 private:
  std::string folder_;
  std::string path_;
};

}  // namespace grid::testing

#endif  // GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_
