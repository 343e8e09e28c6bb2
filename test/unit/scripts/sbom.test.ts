/** The bill of materials follows the schema of CycloneDX, whatever licences packages have. */
import assert from 'node:assert/strict';

describe('bill of materials', function () {
  this.timeout(60_000); // the schemas are compiled

  const validate = async (license: string): Promise<string[]> => {
    const { npmComponent, schemaErrors } = await import('../../../scripts/prebuilds/sbom.mjs');
    const component = npmComponent({ name: '@scope/name', version: '1.0.0', license }, 'bundled');
    assert.equal(component.purl, 'pkg:npm/%40scope/name@1.0.0');
    return schemaErrors(JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components: [component] }));
  };

  for (const license of ['MIT', '(Apache-2.0 AND BSD-3-Clause)', 'MIT OR GPL-3.0-or-later']) {
    it(`${license} is accepted`, async () => assert.deepEqual(await validate(license), []));
  }

  it('a document with a mistake is refused', async () => {
    assert.notDeepEqual(await validate(1 as never), []);
  });
});
