# Knows nothing of the build: hands over to cmake-js and CMakeLists.txt, which leave build/Release/polytrace.node.
{
  'targets': [
    {
      'target_name': 'polytrace',
      'type': 'none',
      'actions': [
        {
          'action_name': 'cmake-js',
          'inputs': ['CMakeLists.txt'],
          'outputs': ['<(PRODUCT_DIR)/polytrace.node'],
          'action': ['npm', 'run', 'build:native'],
        },
      ],
    },
  ],
}
