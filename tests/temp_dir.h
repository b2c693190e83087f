// TempDir: a folder of the test's own, gone with it.
#ifndef GRID_TESTS_TEMP_DIR_H_
#define GRID_TESTS_TEMP_DIR_H_

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace grid::test {

class TempDir {
 public:
  // Throws std::runtime_error when there can be none.
  TempDir() : path_((std::filesystem::temp_directory_path() / "grid-test-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace grid::test

#endif  // GRID_TESTS_TEMP_DIR_H_
