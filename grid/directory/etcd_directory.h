// EtcdDirectory: a directory kept by etcd (version 3.4 or later), through its HTTP/JSON gateway:
// for clusters that have outgrown a hosted one (hosted_directory.h), and want it to outlive any
// machine.
//
//   absl::StatusOr<std::unique_ptr<Directory>> names = MakeEtcdDirectory(
//       {.endpoints = {"http://10.0.0.5:2379"}}, {.io = &io, .member = "http://10.0.0.1:9000"});
//   absl::Status ready = co_await (*names)->WaitReady(10s);    // says why when etcd is not there
//
// A session is a lease of etcd's, an epoch the revision at which a registration was made. Keys are
// `prefix`, the name, "!", and for shared registrations what tells them apart; the values are JSON.
#ifndef GRID_GRID_DIRECTORY_ETCD_DIRECTORY_H_
#define GRID_GRID_DIRECTORY_ETCD_DIRECTORY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grid/directory/directory.h"
#include "grid/directory/directory_options.h"

namespace grid {

struct EtcdOptions {
  // "http://host:port" or https; tried in turn when one can't be reached. Required.
  std::vector<std::string> endpoints = {};
  // In front of all keys: another one for each cluster.
  std::string prefix = "grid/";
  // Empty: no authentication. A wrong one is kUnauthenticated, at once.
  std::string user = {};
  std::string password = {};
  // PEM files, for https; the first empty: the system's authorities. The others, which go together,
  // are shown to an etcd that asks for a certificate.
  std::string ca_file = {};
  std::string certificate_file = {};
  std::string key_file = {};
  // Connections that wait for the next question, 30 s at most; the oldest is closed when there are
  // more. 0: each question has one of its own.
  size_t max_idle_connections = 8;
  // One answer, or one event of a watch; a larger one is kResourceExhausted.
  size_t max_answer_bytes = size_t{64} << 20;
};

// kInvalidArgument names the option or the file. The lease is rounded up to whole seconds.
absl::StatusOr<std::unique_ptr<Directory>> MakeEtcdDirectory(EtcdOptions etcd,
                                                             DirectoryOptions options);

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_ETCD_DIRECTORY_H_
