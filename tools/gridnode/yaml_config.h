// Lets a CLI11 program read its flags from a YAML file, by the same names:
//
//   local: http://10.0.0.1:9000
//   peer: [http://10.0.0.2:9000, http://10.0.0.3:9000]
//   io-threads: 2
//
// What the command line says wins.
#ifndef GRID_TOOLS_GRIDNODE_YAML_CONFIG_H_
#define GRID_TOOLS_GRIDNODE_YAML_CONFIG_H_

#include <CLI/CLI.hpp>
#include <istream>
#include <string>
#include <vector>

namespace grid::tools {

class YamlConfig final : public CLI::Config {
 public:
  // Not offered: gives nothing.
  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }
  // Throws CLI::ConversionError, naming the key, for what is neither a scalar nor a list of
  // scalars.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_YAML_CONFIG_H_
