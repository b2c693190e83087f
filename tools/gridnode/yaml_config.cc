#include "tools/gridnode/yaml_config.h"

#include <yaml-cpp/yaml.h>

namespace grid::tools {
namespace {

CLI::ConfigItem ReadItem(const std::string& key, const YAML::Node& value) {
  CLI::ConfigItem item;
  item.name = key;
  if (value.IsScalar()) {
    item.inputs.push_back(value.Scalar());
  } else if (value.IsSequence()) {
    for (const YAML::Node& entry : value) {
      if (!entry.IsScalar())
        throw CLI::ConversionError("--config: " + key + ": not a list of values");
      item.inputs.push_back(entry.Scalar());
    }
  } else {
    throw CLI::ConversionError("--config: " + key + ": neither a value nor a list of values");
  }
  return item;
}

}  // namespace

std::vector<CLI::ConfigItem> YamlConfig::from_config(std::istream& input) const {
  std::vector<CLI::ConfigItem> items;
  try {
    const YAML::Node root = YAML::Load(input);
    if (root.IsNull()) return items;
    if (!root.IsMap()) throw CLI::ConversionError("--config: not a map of flags to values");
    for (const auto& entry : root) {
      items.push_back(ReadItem(entry.first.as<std::string>(), entry.second));
    }
  } catch (const YAML::Exception& error) {
    throw CLI::ConversionError(std::string("--config: ") + error.what());
  }
  return items;
}

}  // namespace grid::tools
